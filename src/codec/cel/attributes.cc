// Attributes: variables, results of other steps, and conditionals, with the names and keys that are
// read from them.
#include "codec/cel/steps.h"

namespace keelson::codec::cel {

namespace {

Datum out_of_bounds(const Datum& index) {
  return Datum::error("index out of bounds: " + display(index));
}

// The index that a key stands for; false if it stands for none.
bool list_index(const Datum& key, std::int64_t& index) {
  if (key.is_int()) {
    index = key.as_int();
    return true;
  }
  if (key.is_uint() && key.as_uint() <= static_cast<std::uint64_t>(INT64_MAX)) {
    index = static_cast<std::int64_t>(key.as_uint());
    return true;
  }
  if (key.is_double()) {
    index = static_cast<std::int64_t>(key.as_double());
    return static_cast<double>(index) == key.as_double();
  }
  return false;
}

// Reads `key` of `object`. `missing`: it is not there; with `if_present` that is no error.
Datum member_of(const Datum& object, const Datum& key, bool if_present, bool& missing) {
  missing = false;
  Datum value;
  if (object.is_map()) {
    if (object.as_map().find(key, value)) return value;
    missing = true;
    return if_present ? Datum::null() : no_such_key(key);
  }
  if (object.is_list()) {
    std::int64_t index = 0;
    if (!list_index(key, index))
      return Datum::error("unsupported index type '" + std::string(key.type_name()) + "' in list");
    const List& list = object.as_list();
    if (index >= 0 && index < static_cast<std::int64_t>(list.size()))
      return list.at(static_cast<std::size_t>(index));
    missing = true;
    return if_present ? Datum::null() : out_of_bounds(key);
  }
  if (object.is_opaque() && key.is_string() && object.as_opaque().field(key.text(), value))
    return value;
  missing = true;
  return if_present ? Datum::null() : no_such_key(key);
}

Datum apply(Frame& frame, Datum object, const std::vector<Attribute::Qualifier>& qualifiers) {
  bool optional = object.is_optional();
  if (optional) {
    if (!object.optional_value()) return object;
    const Datum inner = *object.optional_value();
    object = inner;
  }
  for (const Attribute::Qualifier& qualifier : qualifiers) {
    optional = optional || qualifier.optional;
    Datum key = qualifier.key;
    if (qualifier.attribute) {
      key = qualifier.attribute->resolve(frame);
      if (key.is_error()) return key;
    }
    bool missing = false;
    Datum value = member_of(object, key, optional || qualifier.test_only, missing);
    frame.charge(1);
    if (qualifier.test_only) {
      if (value.is_error()) return value;
      // In a chain that is optional what is missing is none, which has() takes for false.
      return Datum::boolean(!missing);
    }
    if (missing && optional) return Datum::optional_none();
    if (value.is_error()) return value;
    object = std::move(value);
  }
  return optional ? Datum::optional_of(std::move(object)) : object;
}

class Qualified : public Attribute {
 public:
  void qualify(const Qualifier& qualifier) override { qualifiers_.push_back(qualifier); }
  Datum run(Frame& frame) const override {
    Datum value = resolve(frame);
    // A test of presence costs nothing beyond its parts.
    if (qualifiers_.empty() || !qualifiers_.back().test_only) frame.charge(1);
    return value;
  }
  Datum resolve(Frame& frame) const override {
    Datum base = this->base(frame);
    if (base.is_error() || qualifiers_.empty()) return base;
    return apply(frame, std::move(base), qualifiers_);
  }

 protected:
  virtual Datum base(Frame& frame) const = 0;

 private:
  std::vector<Qualifier> qualifiers_;
};

class Variable final : public Qualified {
 public:
  Variable(int index, std::string name) : index_(index), name_(std::move(name)) {}

 private:
  Datum base(Frame& frame) const override {
    const auto index = static_cast<std::size_t>(index_);
    if (index >= frame.variables.size()) return Datum::error("no such attribute(s): " + name_);
    return frame.variables[index];
  }
  int index_;
  std::string name_;
};

class Local final : public Qualified {
 public:
  explicit Local(std::size_t slot) : slot_(slot) {}

 private:
  Datum base(Frame& frame) const override {
    if (const Step* pending = frame.slots[slot_].pending) {
      frame.slots[slot_].pending = nullptr;
      Datum value = pending->run(frame);
      frame.slots[slot_].value = std::move(value);
    }
    return frame.slots[slot_].value;
  }
  std::size_t slot_;
};

class Relative final : public Qualified {
 public:
  explicit Relative(StepPtr operand) : operand_(std::move(operand)) {}

 private:
  Datum base(Frame& frame) const override { return operand_->run(frame); }
  StepPtr operand_;
};

class Conditional final : public Attribute {
 public:
  Conditional(StepPtr condition, AttributePtr yes, AttributePtr no)
      : condition_(std::move(condition)), yes_(std::move(yes)), no_(std::move(no)) {}
  void qualify(const Qualifier& qualifier) override {
    yes_->qualify(qualifier);
    no_->qualify(qualifier);
  }
  // The choice itself is free, and so is the branch where it only reads an attribute.
  Datum run(Frame& frame) const override { return resolve(frame); }
  Datum resolve(Frame& frame) const override {
    const Datum condition = condition_->run(frame);
    if (condition.is_true()) return yes_->resolve(frame);
    if (condition.is_false()) return no_->resolve(frame);
    return condition.is_error() ? condition : no_such_overload();
  }

 private:
  StepPtr condition_;
  AttributePtr yes_, no_;
};

}  // namespace

AttributePtr make_variable(int index, std::string name) {
  return std::make_shared<Variable>(index, std::move(name));
}
AttributePtr make_local(std::size_t slot) {
  return std::make_shared<Local>(slot);
}
AttributePtr make_relative(StepPtr operand) {
  return std::make_shared<Relative>(std::move(operand));
}
AttributePtr make_conditional(StepPtr condition, AttributePtr yes, AttributePtr no) {
  return std::make_shared<Conditional>(std::move(condition), std::move(yes), std::move(no));
}

}  // namespace keelson::codec::cel
