#include "codec/go_text.h"

#include "codec/json.h"
#include "codec/yaml_scalar.h"

namespace keelson::codec {

std::string go_text(const Value& value) {
  std::string out;
  switch (value.kind()) {
    case Value::Kind::null: return "<nil>";
    case Value::Kind::boolean: return value.as_bool() ? "true" : "false";
    case Value::Kind::integer: return std::to_string(value.as_int());
    case Value::Kind::number: return number_text(value.as_double(), 64);
    case Value::Kind::string: return value.str();
    case Value::Kind::array:
      for (const Value& element : value.elements())
        out += (out.empty() ? "" : " ") + go_text(element);
      return '[' + out + ']';
    case Value::Kind::object:
      for (const Member& m : value.members()) {
        if (!out.empty()) out += ' ';
        out.append(m.key()) += ':';
        out += go_text(m.value);
      }
      return "map[" + out + ']';
  }
  return out;
}

std::string_view go_type(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: return "<nil>";
    case Value::Kind::boolean: return "bool";
    case Value::Kind::integer: return "int64";
    case Value::Kind::number: return "float64";
    case Value::Kind::string: return "string";
    case Value::Kind::array: return "[]interface {}";
    case Value::Kind::object: return "map[string]interface {}";
  }
  return {};
}

std::string_view go_kind(const Value& value) {
  if (value.is_array()) return "slice";
  if (value.is_object()) return "map";
  return go_type(value);
}

std::string_view json_noun(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: return "null";
    case Value::Kind::boolean: return "bool";
    case Value::Kind::integer:
    case Value::Kind::number: return "number";
    case Value::Kind::string: return "string";
    case Value::Kind::array: return "array";
    case Value::Kind::object: return "object";
  }
  return {};
}

std::string go_json(const Value& value) {
  std::string out;
  for (const char c : to_json(value)) {
    if (c == '<')
      out += "\\u003c";
    else if (c == '>')
      out += "\\u003e";
    else if (c == '&')
      out += "\\u0026";
    else
      out += c;
  }
  return out;
}

}  // namespace keelson::codec
