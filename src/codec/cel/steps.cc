#include "codec/cel/steps.h"

#include <array>
#include <optional>
#include <set>

#include "codec/cel/pattern.h"

namespace keelson::codec::cel {

namespace {

class Constant final : public Step {
 public:
  explicit Constant(Datum value) : value_(std::move(value)) {}
  Datum run(Frame&) const override { return value_; }
  const Datum* constant() const override { return &value_; }

 private:
  Datum value_;
};

bool fits(const Type& declared, const Datum& value) {
  switch (declared.kind) {
    case Type::Kind::dyn:
    case Type::Kind::parameter: return true;
    case Type::Kind::list: return value.is_list();
    case Type::Kind::map: return value.is_map();
    case Type::Kind::object: return value.is_map() || value.is_opaque();
    case Type::Kind::opaque:
      if (is_optional(declared)) return value.is_optional();
      return value.is_opaque() && value.type_name() == declared.name;
    default: return value.type_name() == declared.name;
  }
}

bool fits(const Overload& overload, Arguments arguments, bool member) {
  if (overload.member != member || overload.arguments.size() != arguments.size()) return false;
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (!fits(*overload.arguments[i], arguments[i])) return false;
  return true;
}

class Call final : public Step {
 public:
  // `overload` is null where the checker could not decide.
  Call(const Function& function, const Overload* overload, bool member,
       std::vector<StepPtr> arguments)
      : function_(function),
        overload_(overload),
        member_(member),
        arguments_(std::move(arguments)),
        rule_(cost_rule(function.name, overload ? std::string_view(overload->id) : "")) {}

  void set_pattern(PatternPtr pattern) { pattern_ = std::move(pattern); }
  // The first argument is the accumulator in this slot, a map that grows in place.
  void take_from(std::size_t slot) { taken_from_ = slot; }

  Datum run(Frame& frame) const override {
    // Few calls have more than four arguments.
    std::array<Datum, 4> few;
    std::vector<Datum> many;
    Datum* values = few.data();
    if (arguments_.size() > few.size()) {
      many.resize(arguments_.size());
      values = many.data();
    }
    const Datum* fault = nullptr;
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
      values[i] = arguments_[i]->run(frame);
      if (!fault && values[i].is_error()) fault = &values[i];
      // With more than two arguments the rest is not looked at.
      if (fault && arguments_.size() > 2) return *fault;
    }
    const Arguments arguments(values, arguments_.size());
    if (fault) {
      frame.charge(1);
      return *fault;
    }
    // What does not depend on the result is charged first: it may be too much to do.
    const bool after = rule_ == CostRule::result_twice || rule_ == CostRule::list_result;
    if (!after) frame.charge(actual_cost(rule_, arguments, Datum::null()));
    if (frame.stopped) return Datum::error(kCostExceeded);
    if (taken_from_) frame.slots[*taken_from_].value = Datum::null();
    Datum result = taken_from_ ? taken(values) : call(arguments);
    if (after) frame.charge(actual_cost(rule_, arguments, result));
    return result;
  }

  Datum call(Arguments arguments) const {
    if (pattern_) return function_.run_with_pattern(arguments, *pattern_);
    if (function_.any) {
      if (arguments.empty() ||
          (function_.receivers >> static_cast<unsigned>(arguments[0].kind()) & 1U) != 0)
        return function_.any(arguments);
      return Datum::error("no such overload: " + function_.name);
    }
    if (overload_ && overload_->run) {
      if (!function_.guarded || fits(*overload_, arguments, member_))
        return overload_->run(arguments);
    } else if (!overload_) {
      for (const Overload& overload : function_.overloads)
        if (overload.run && fits(overload, arguments, member_)) return overload.run(arguments);
    }
    std::string text = "no such overload: " + function_.name + "(";
    for (std::size_t i = 0; i < arguments.size(); ++i)
      text += (i > 0 ? ", " : "") + std::string(arguments[i].type_name());
    return Datum::error(text + ")");
  }

 private:
  Datum taken(Datum* values) const {
    if (!values[0].is_map()) return no_such_overload();
    if (arguments_.size() == 3)
      return insert(std::move(values[0]), std::move(values[1]), std::move(values[2]));
    if (!values[1].is_map()) return no_such_overload();
    for (Datum& key : values[1].as_map().keys()) {
      Datum value;
      values[1].as_map().find(key, value);
      values[0] = insert(std::move(values[0]), std::move(key), std::move(value));
      if (values[0].is_error()) break;
    }
    return std::move(values[0]);
  }

  const Function& function_;
  const Overload* overload_;
  bool member_;
  std::vector<StepPtr> arguments_;
  PatternPtr pattern_;
  std::optional<std::size_t> taken_from_;
  CostRule rule_;
};

class Logical final : public Step {
 public:
  // `decisive`: the value of one side that settles the matter.
  Logical(bool decisive, StepPtr left, StepPtr right)
      : decisive_(decisive), left_(std::move(left)), right_(std::move(right)) {}
  Datum run(Frame& frame) const override {
    Datum fault;
    bool failed = false;
    for (const Step* side : {left_.get(), right_.get()}) {
      Datum value = side->run(frame);
      if (frame.stopped) return value;
      if (value.is_bool()) {
        if (value.as_bool() == decisive_) return value;
      } else if (!failed) {
        failed = true;
        fault = value.is_error() ? std::move(value) : no_such_overload();
      }
    }
    return failed ? fault : Datum::boolean(!decisive_);
  }

 private:
  bool decisive_;
  StepPtr left_, right_;
};

class Equality final : public Step {
 public:
  Equality(bool wanted, StepPtr left, StepPtr right)
      : wanted_(wanted), left_(std::move(left)), right_(std::move(right)) {}
  Datum run(Frame& frame) const override {
    std::array<Datum, 2> sides = {left_->run(frame), right_->run(frame)};
    Datum result;
    if (sides[0].is_error())
      result = sides[0];
    else if (sides[1].is_error())
      result = sides[1];
    else if (wanted_)
      result = equals(sides[0], sides[1]);
    else
      result = Datum::boolean(!equals(sides[0], sides[1]).is_true());
    frame.charge(actual_cost(CostRule::shorter_text, sides, result));
    return result;
  }

 private:
  bool wanted_;
  StepPtr left_, right_;
};

class NotStrictlyFalse final : public Step {
 public:
  explicit NotStrictlyFalse(StepPtr operand) : operand_(std::move(operand)) {}
  Datum run(Frame& frame) const override {
    Datum value = operand_->run(frame);
    frame.charge(1);
    return value.is_bool() ? value : Datum::boolean(true);
  }

 private:
  StepPtr operand_;
};

Datum list_from(const std::vector<StepPtr>& elements, const std::vector<bool>& optionals,
                Frame& frame) {
  std::vector<Datum> values;
  values.reserve(elements.size());
  for (std::size_t i = 0; i < elements.size(); ++i) {
    Datum value = elements[i]->run(frame);
    if (value.is_error()) return value;
    if (optionals[i]) {
      if (!value.is_optional())
        return Datum::error("cannot initialize optional list element from non-optional value " +
                            display(value));
      const Datum* held = value.optional_value();
      if (!held) continue;
      const Datum inner = *held;
      value = inner;
    }
    values.push_back(std::move(value));
  }
  return Datum::list(std::move(values));
}

class MakeList final : public Step {
 public:
  MakeList(std::vector<StepPtr> elements, std::vector<bool> optionals)
      : elements_(std::move(elements)), optionals_(std::move(optionals)) {}
  Datum run(Frame& frame) const override {
    Datum list = list_from(elements_, optionals_, frame);
    frame.charge(kListCost);
    return list;
  }

 private:
  std::vector<StepPtr> elements_;
  std::vector<bool> optionals_;
};

class MakeMap final : public Step {
 public:
  MakeMap(std::vector<StepPtr> parts, std::vector<bool> optionals)
      : parts_(std::move(parts)), optionals_(std::move(optionals)) {}
  Datum run(Frame& frame) const override {
    Datum map = build(frame);
    frame.charge(kMapCost);
    return map;
  }

 private:
  Datum build(Frame& frame) const {
    std::vector<std::pair<Datum, Datum>> entries;
    for (std::size_t i = 0; i + 1 < parts_.size(); i += 2) {
      Datum key = parts_[i]->run(frame);
      if (key.is_error()) return key;
      Datum value = parts_[i + 1]->run(frame);
      if (value.is_error()) return value;
      if (optionals_[i / 2]) {
        if (!value.is_optional())
          return Datum::error("cannot initialize optional entry '" + display(key) +
                              "' from non-optional value " + display(value));
        const Datum* held = value.optional_value();
        if (!held) continue;
        const Datum inner = *held;
        value = inner;
      }
      entries.emplace_back(std::move(key), std::move(value));
    }
    return Datum::map(std::move(entries));
  }
  std::vector<StepPtr> parts_;
  std::vector<bool> optionals_;
};

// An object of a declared type: a map with its fields.
class MakeObject final : public Step {
 public:
  MakeObject(std::vector<std::string> names, std::vector<StepPtr> values,
             std::vector<bool> optionals)
      : names_(std::move(names)), values_(std::move(values)), optionals_(std::move(optionals)) {}
  Datum run(Frame& frame) const override {
    std::vector<std::pair<Datum, Datum>> entries;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      Datum value = values_[i]->run(frame);
      if (value.is_error()) return value;
      if (optionals_[i]) {
        if (!value.is_optional())
          return Datum::error("cannot initialize optional entry '" + names_[i] +
                              "' from non-optional value " + display(value));
        if (!value.optional_value()) continue;
        const Datum inner = *value.optional_value();
        value = inner;
      }
      entries.emplace_back(Datum::string(names_[i]), std::move(value));
    }
    frame.charge(kObjectCost);
    return Datum::map(std::move(entries));
  }

 private:
  std::vector<std::string> names_;
  std::vector<StepPtr> values_;
  std::vector<bool> optionals_;
};

// `x in [constants]`: costs no more than x.
class Membership final : public Step {
 public:
  Membership(StepPtr needle, Datum list) : needle_(std::move(needle)), list_(std::move(list)) {}
  Datum run(Frame& frame) const override {
    Datum needle = needle_->run(frame);
    if (needle.is_error()) return needle;
    const List& list = list_.as_list();
    for (std::size_t i = 0; i < list.size(); ++i)
      if (equal(list.at(i), needle)) return Datum::boolean(true);
    return Datum::boolean(false);
  }

 private:
  StepPtr needle_;
  Datum list_;
};

// optional.or() and orValue(): the second is evaluated only where it is needed.
class OptionalOr final : public Step {
 public:
  OptionalOr(bool unwrap, StepPtr left, StepPtr right)
      : unwrap_(unwrap), left_(std::move(left)), right_(std::move(right)) {}
  Datum run(Frame& frame) const override {
    Datum left = left_->run(frame);
    if (!left.is_optional()) return left;
    const Datum* held = left.optional_value();
    if (!held) return right_->run(frame);
    return unwrap_ ? *held : left;
  }

 private:
  bool unwrap_;
  StepPtr left_, right_;
};

// accumulator + [elements]: in place, as nobody else sees the accumulator before it is returned.
class Accumulate final : public Step {
 public:
  Accumulate(std::size_t slot, StepPtr added, StepPtr accumulator)
      : slot_(slot), added_(std::move(added)), accumulator_(std::move(accumulator)) {}
  Datum run(Frame& frame) const override {
    Datum list = accumulator_->run(frame);  // computes it the first time, and counts the cost
    Datum added = added_->run(frame);
    frame.charge(1);
    if (list.is_error()) return list;
    if (added.is_error()) return added;
    frame.slots[slot_].value = Datum::null();
    return append(std::move(list), std::move(added));
  }

 private:
  std::size_t slot_;
  StepPtr added_, accumulator_;
};

class Fold final : public Step {
 public:
  struct Parts {
    StepPtr range, initial, condition, step, result;
    std::size_t accumulator = 0, first = 0, second = 0;
    bool two = false;
  };
  explicit Fold(Parts parts) : p_(std::move(parts)) {}

  Datum run(Frame& frame) const override {
    const Datum range = p_.range->run(frame);
    if (range.is_error()) return range;
    if (!range.is_list() && !range.is_map())
      return Datum::error("got '" + std::string(range.type_name()) + "', expected iterable type");
    frame.slots[p_.accumulator] = {Datum::null(), p_.initial.get()};
    if (range.is_list()) {
      const List& list = range.as_list();
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (p_.two) frame.slots[p_.second] = {list.at(i), nullptr};
        frame.slots[p_.first] = {p_.two ? Datum::integer(static_cast<std::int64_t>(i)) : list.at(i),
                                 nullptr};
        if (!turn(frame)) break;
      }
    } else {
      for (Datum& key : range.as_map().keys()) {
        if (p_.two) {
          Datum value;
          range.as_map().find(key, value);
          frame.slots[p_.second] = {std::move(value), nullptr};
        }
        frame.slots[p_.first] = {std::move(key), nullptr};
        if (!turn(frame)) break;
      }
    }
    Datum result = p_.result->run(frame);
    frame.slots[p_.accumulator] = {};
    return result;
  }

 private:
  // False if the loop ends.
  bool turn(Frame& frame) const {
    const Datum condition = p_.condition->run(frame);
    if (condition.is_false() || frame.stopped) return false;
    Datum next = p_.step->run(frame);
    frame.slots[p_.accumulator] = {std::move(next), nullptr};
    return !frame.stopped;
  }
  Parts p_;
};

bool is_conversion(std::string_view function) {
  static const std::set<std::string_view> conversions = {
      "bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"};
  return conversions.contains(function);
}

// Thrown while planning and caught in make_steps.
struct PlanFault {
  std::string message;
};

class Planner {
 public:
  StepPtr plan(const Expr& node) { return make(node).step; }
  std::size_t slots() const { return slots_; }

 private:
  static Planned of(StepPtr step) { return {std::move(step), nullptr}; }
  static Planned of(AttributePtr attribute) { return {attribute, attribute}; }
  static StepPtr constant(Datum value) { return std::make_shared<Constant>(std::move(value)); }

  Planned make(const Expr& node) {
    switch (node.kind) {
      case Expr::Kind::literal: return of(constant(node.value));
      case Expr::Kind::identifier: return identifier(node);
      case Expr::Kind::select: {
        AttributePtr attribute = as_attribute(make(*node.operands[0]));
        attribute->qualify({Datum::string(node.name), nullptr, false, node.test_only});
        return of(attribute);
      }
      case Expr::Kind::call: return call(node);
      case Expr::Kind::list: {
        std::vector<StepPtr> elements = plan_all(node.operands);
        const bool constants = all_constant(elements);
        auto step = std::make_shared<MakeList>(std::move(elements), node.optionals);
        return of(constants ? folded(*step) : StepPtr(step));
      }
      case Expr::Kind::map: {
        std::vector<StepPtr> parts = plan_all(node.operands);
        const bool constants = all_constant(parts);
        auto step = std::make_shared<MakeMap>(std::move(parts), node.optionals);
        return of(constants ? folded(*step) : StepPtr(step));
      }
      case Expr::Kind::object:
        return of(std::make_shared<MakeObject>(node.field_names, plan_all(node.operands),
                                               node.optionals));
      case Expr::Kind::comprehension: return of(fold(node));
    }
    return of(constant(Datum::null()));
  }

  std::vector<StepPtr> plan_all(const std::vector<Expr*>& nodes) {
    std::vector<StepPtr> steps;
    steps.reserve(nodes.size());
    for (const Expr* node : nodes) steps.push_back(plan(*node));
    return steps;
  }
  static bool all_constant(const std::vector<StepPtr>& steps) {
    for (const StepPtr& step : steps)
      if (!step->constant()) return false;
    return true;
  }
  static Datum value_of(const Step& step) {
    const std::vector<Datum> none;
    Frame frame{none, {}, 0, UINT64_MAX, false};
    return step.run(frame);
  }
  static StepPtr folded(const Step& step) { return constant(value_of(step)); }

  AttributePtr as_attribute(const Planned& planned) {
    return planned.attribute ? planned.attribute : make_relative(planned.step);
  }

  Planned identifier(const Expr& node) {
    if (node.variable_index < 0)
      for (std::size_t i = scope_.size(); i-- > 0;)
        if (scope_[i].name == node.name) return of(make_local(scope_[i].slot));
    if (node.type->kind == Type::Kind::type && node.variable_index < 0) {
      const TypePtr& named = node.type->parameters.empty() ? type_type() : node.type->parameters[0];
      return of(constant(Datum::type(named)));
    }
    return of(make_variable(node.variable_index, node.name));
  }

  Planned call(const Expr& node) {
    if (node.name == "_?_:_") {
      StepPtr condition = plan(*node.operands[0]);
      AttributePtr yes = as_attribute(make(*node.operands[1]));
      AttributePtr no = as_attribute(make(*node.operands[2]));
      return of(make_conditional(std::move(condition), std::move(yes), std::move(no)));
    }
    if (node.name == "_[_]" || node.name == "_[?_]" || node.name == "_?._") return index(node);
    if (!node.member && node.name == "_+_") {
      if (StepPtr step = accumulation(node)) return of(step);
    }
    std::vector<StepPtr> arguments = plan_all(node.operands);
    if (node.name == "_&&_" || node.name == "_||_")
      return of(std::make_shared<Logical>(node.name == "_||_", arguments[0], arguments[1]));
    if (node.name == "_==_" || node.name == "_!=_")
      return of(std::make_shared<Equality>(node.name == "_==_", arguments[0], arguments[1]));
    if (node.name == "@not_strictly_false")
      return of(std::make_shared<NotStrictlyFalse>(arguments[0]));
    const Overload* overload = node.overloads.size() == 1 ? node.overloads[0] : nullptr;
    if (node.member && arguments.size() == 2 && (node.name == "or" || node.name == "orValue"))
      return of(std::make_shared<OptionalOr>(node.name == "orValue", arguments[0], arguments[1]));
    if (overload && overload->id == "in_list" && arguments[1]->constant())
      if (StepPtr step = membership(arguments[0], *arguments[1]->constant())) return of(step);

    const Function& function = *node.function;
    auto step = std::make_shared<Call>(function, overload, node.member, arguments);
    if (arguments.size() == 1 && arguments[0]->constant() && is_conversion(node.name)) {
      const Datum value = value_of(*step);
      if (value.is_error()) throw PlanFault{std::string(value.text())};
      return of(constant(value));
    }
    if (node.name == "cel.@mapInsert")
      if (const auto slot = accumulator_slot(*node.operands[0])) step->take_from(*slot);
    if (const int at = function.pattern_argument;
        at >= 0 && static_cast<std::size_t>(at) < arguments.size()) {
      const Datum* pattern = arguments[static_cast<std::size_t>(at)]->constant();
      if (pattern && pattern->is_string()) {
        Result<PatternPtr> compiled = compile_pattern(pattern->text());
        if (!compiled.ok()) throw PlanFault{compiled.error().message};
        step->set_pattern(*compiled);
      }
    }
    return of(StepPtr(step));
  }

  Planned index(const Expr& node) {
    AttributePtr attribute = as_attribute(make(*node.operands[0]));
    const Planned key = make(*node.operands[1]);
    Attribute::Qualifier qualifier;
    qualifier.optional = node.name != "_[_]";
    if (const Datum* value = key.step->constant())
      qualifier.key = *value;
    else
      qualifier.attribute = as_attribute(key);
    attribute->qualify(qualifier);
    return of(attribute);
  }

  // accumulator + [...] of the innermost comprehension, or null.
  StepPtr accumulation(const Expr& node) {
    const Expr& left = *node.operands[0];
    const auto slot = accumulator_slot(left);
    if (!slot || left.type->kind != Type::Kind::list) return nullptr;
    return std::make_shared<Accumulate>(*slot, plan(*node.operands[1]), plan(left));
  }
  std::optional<std::size_t> accumulator_slot(const Expr& node) const {
    if (node.kind != Expr::Kind::identifier || node.name != kAccumulator ||
        node.variable_index >= 0)
      return std::nullopt;
    for (std::size_t i = scope_.size(); i-- > 0;)
      if (scope_[i].name == kAccumulator) return scope_[i].slot;
    return std::nullopt;
  }

  static StepPtr membership(const StepPtr& needle, const Datum& list) {
    if (!list.is_list()) return nullptr;
    const List& elements = list.as_list();
    if (elements.size() == 0) return constant(Datum::boolean(false));
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const Datum element = elements.at(i);
      if (!element.is_number() && !element.is_string() && !element.is_bool()) return nullptr;
    }
    return std::make_shared<Membership>(needle, list);
  }

  StepPtr fold(const Expr& node) {
    Fold::Parts parts;
    parts.two = !node.variable2.empty();
    parts.initial = plan(*node.operands[Expr::kInitial]);
    parts.range = plan(*node.operands[Expr::kRange]);
    const std::size_t outer = scope_.size();
    parts.accumulator = declare(node.accumulator);
    parts.first = declare(node.variable);
    if (parts.two) parts.second = declare(node.variable2);
    parts.condition = plan(*node.operands[Expr::kCondition]);
    parts.step = plan(*node.operands[Expr::kStep]);
    scope_.resize(outer + 1);
    parts.result = plan(*node.operands[Expr::kResult]);
    scope_.resize(outer);
    return std::make_shared<Fold>(std::move(parts));
  }
  std::size_t declare(const std::string& name) {
    scope_.push_back({name, slots_});
    return slots_++;
  }

  struct Name {
    std::string name;
    std::size_t slot;
  };
  std::vector<Name> scope_;
  std::size_t slots_ = 0;
};

}  // namespace

Result<StepPtr> make_steps(const Ast& ast, std::size_t& slots) {
  try {
    Planner planner;
    StepPtr root = planner.plan(*ast.root);
    slots = planner.slots();
    return root;
  } catch (const PlanFault& fault) {
    return Error{.reason = Reason::invalid, .message = fault.message};
  }
}

}  // namespace keelson::codec::cel
