// What the original says about the outcome of a patch: problems of converting it to its type, and
// the object as it is quoted in errors.
#include <cmath>

#include "base/text.h"
#include "codec/go_text.h"
#include "codec/patch.h"

namespace keelson::codec {
namespace {

std::string_view scalar_name(Scalar scalar) {
  switch (scalar) {
    case Scalar::string: return "string";
    case Scalar::boolean: return "bool";
    case Scalar::int32: return "int32";
    case Scalar::int64: return "int64";
    case Scalar::float64: return "float64";
    default: return {};  // types that read JSON themselves
  }
}

std::string scalar_problem(const Value& value, Scalar scalar) {
  if (scalar == Scalar::bytes) {
    if (!value.is_string()) return "cannot restore slice from " + std::string(go_kind(value));
    if (from_base64(value.as_string())) return {};
    return "error decoding from json: illegal base64 data at input byte 0";
  }
  const std::string_view name = scalar_name(scalar);
  if (name.empty()) return {};
  const std::string impossible = "unrecognized type: " + std::string(name);
  const auto refused = [&] {
    return "cannot convert " + std::string(go_type(value)) + " to " + std::string(name);
  };
  switch (scalar) {
    case Scalar::string:
      if (value.is_string()) return {};
      return value.is_integer() ? refused() : impossible;
    case Scalar::boolean: return value.is_bool() ? std::string() : impossible;
    case Scalar::float64: return value.is_number() ? std::string() : impossible;
    default: break;
  }
  if (value.is_integer()) return {};
  if (!value.is_number()) return impossible;
  const double d = value.as_double();
  return d == std::trunc(d) ? std::string() : refused();
}

std::string problem_of(const Value& value, const Type* type) {
  if (type == nullptr || value.is_null()) return {};
  switch (type->shape) {
    case Shape::any: return {};
    case Shape::scalar: return scalar_problem(value, type->scalar);
    case Shape::list:
      if (!value.is_array()) return "cannot restore slice from " + std::string(go_kind(value));
      for (const Value& element : value.elements())
        if (std::string problem = problem_of(element, type->element.type); !problem.empty())
          return problem;
      return {};
    case Shape::map:
      if (!value.is_object()) return "cannot restore map from " + std::string(go_kind(value));
      for (const Member& m : value.members())
        if (std::string problem = problem_of(m.value, type->element.type); !problem.empty())
          return problem;
      return {};
    case Shape::structure: break;
  }
  if (!value.is_object()) return "cannot restore struct from: " + std::string(go_kind(value));
  for (const Field& field : type->fields)
    if (std::string problem = problem_of(value[field.name], field.type); !problem.empty())
      return problem;
  return {};
}

void append_typed(std::string& out, const Value& value, const Type* type);

void append_member(std::string& out, std::string_view key, const Value& value, const Type* type,
                   bool& first) {
  if (!first) out += ',';
  first = false;
  append_json_string(out, key);
  out += ':';
  append_typed(out, value, type);
}

// An untouched part: structures in the order of their type.
void append_typed(std::string& out, const Value& value, const Type* type) {
  if (type == nullptr || value.empty()) return append_json(out, value);
  if (value.is_array()) {
    char separator = '[';
    for (const Value& element : value.elements()) {
      out += separator;
      separator = ',';
      append_typed(out, element, type->element.type);
    }
    out += ']';
    return;
  }
  out += '{';
  bool first = true;
  if (type->shape == Shape::structure) {
    for (const Field& field : type->fields)
      if (const Value* member = value.find(field.name))
        append_member(out, field.name, *member, field.type, first);
    for (const Member& m : value.members())
      if (type->field(m.key()) == nullptr) append_member(out, m.key(), m.value, nullptr, first);
  } else {
    for (const Member& m : value.members())
      append_member(out, m.key(), m.value, type->element.type, first);
  }
  out += '}';
}

const Type* member_type(const Type* type, std::string_view key) {
  if (type == nullptr) return nullptr;
  if (type->shape != Shape::structure) return type->element.type;
  const Field* field = type->field(key);
  return field == nullptr ? nullptr : field->type;
}

void append_patched(std::string& out, const Value& value, const Value& original, const Type* type) {
  if (value.same_node(original)) return append_typed(out, value, type);
  if (value.is_object()) {
    out += '{';
    bool first = true;
    for (const Member& m : value.members()) {
      if (!first) out += ',';
      first = false;
      append_json_string(out, m.key());
      out += ':';
      append_patched(out, m.value, original[m.key()], member_type(type, m.key()));
    }
    out += '}';
  } else if (value.is_array()) {
    char separator = '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      out += separator;
      separator = ',';
      append_patched(out, value[i], original[i], type == nullptr ? nullptr : type->element.type);
    }
    out += value.empty() ? "[]" : "]";
  } else {
    append_json(out, value);
  }
}

}  // namespace

std::string conversion_problem(const Value& object, const Type& type) {
  return problem_of(object, &type);
}

std::string patched_text(const Value& patched, const Value& original, const Type* type) {
  std::string out;
  append_patched(out, patched, original, type);
  return out;
}

}  // namespace keelson::codec
