#include "codec/typed_shape.h"

namespace keelson::codec {
namespace {

const Type& any_type() {
  static const Type type{.name = "", .shape = Shape::any};
  return type;
}

Error failed(std::string message) {
  return Error{.reason = Reason::unknown, .message = std::move(message)};
}

// A plain field that is always served has its zero value for a default in the original's schema.
Value zero_value(const Field& field) {
  if (!field.keep_empty || field.pointer || field.type == nullptr ||
      field.type->shape != Shape::scalar)
    return {};
  switch (field.type->scalar) {
    case Scalar::string: return Value("");
    case Scalar::boolean: return Value(false);
    case Scalar::int32:
    case Scalar::int64:
    case Scalar::float64: return Value(0);
    default: return {};
  }
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string out = "[";
  for (const std::string& name : names) out += (out.size() > 1 ? " \"" : "\"") + name + '"';
  return out + ']';
}

}  // namespace

const Use& free_form() {
  static const Use use{.type = &any_type()};
  return use;
}

const Use& free_form_atomic() {
  static const Use use{.type = &any_type(), .atomic = true};
  return use;
}

bool is_free_form(const Use& use) {
  return use.type == nullptr || use.type->shape == Shape::any;
}

Form form_of(const Use& use, const Value& value) {
  if (is_free_form(use)) {
    if (value.is_array()) return Form::list;
    return value.is_object() || value.is_null() ? Form::map : Form::scalar;
  }
  switch (use.type->shape) {
    case Shape::scalar: return Form::scalar;
    case Shape::list: return Form::list;
    default: return Form::map;
  }
}

bool is_atomic(const Use& use, Form form) {
  if (is_free_form(use)) {
    // Named types are built in: RawExtension, JSON.
    const bool built_in = use.type != nullptr && !use.type->name.empty();
    return form == Form::list || use.atomic || built_in;
  }
  return form == Form::list ? use.list_type == ListType::atomic : use.atomic;
}

const Use* member_use(const Use& use, std::string_view key) {
  if (is_free_form(use)) return &free_form();
  if (use.type->shape == Shape::map) return &use.type->element;
  if (const Field* field = use.type->field(key)) return field;
  return use.type->preserve_unknown ? &free_form() : nullptr;
}

bool is_named_field(const Use& use, std::string_view key) {
  return !is_free_form(use) && use.type->shape == Shape::structure &&
         use.type->field(key) != nullptr;
}

const Use& element_use(const Use& use) {
  return is_free_form(use) ? free_form_atomic() : use.type->element;
}

Result<PathElement> element_of(const Use& list, const Value& element) {
  if (list.list_type == ListType::set || list.list_keys.empty()) {
    if (element.is_object())
      return failed("associative list without keys has an element that's a map type");
    if (element.is_array()) return failed("not supported: associative list with lists as elements");
    if (element.is_null())
      return failed("associative list without keys has an element that's an explicit null");
    return PathElement{PathElement::Kind::value, element};
  }
  if (element.is_null()) return failed("associative list with keys may not have a null element");
  if (!element.is_object())
    return failed("associative list with keys may not have non-map elements");
  Value keys = Value::object();
  for (const std::string& name : list.list_keys) {
    if (const Value* found = element.find(name)) {
      keys.set(name, *found);
      continue;
    }
    const Type* type = element_use(list).type;
    const Field* field = type == nullptr ? nullptr : type->field(name);
    if (field == nullptr) continue;
    if (!field->default_value.is_null())
      keys.set(name, field->default_value);
    else if (const Value zero = zero_value(*field); !zero.is_null())
      keys.set(name, zero);
  }
  if (keys.empty())
    return failed("associative list with keys has an element that omits all key fields " +
                  quoted_list(list.list_keys) +
                  " (and doesn't have default values for any key fields)");
  return PathElement{PathElement::Kind::key, std::move(keys)};
}

}  // namespace keelson::codec
