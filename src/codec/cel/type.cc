// The types that have no parameters are made once; everything else is made as it is needed.
#include "codec/cel/type.h"

namespace keelson::codec::cel {

namespace {

TypePtr simple(Type::Kind kind, std::string name, std::int64_t serialized_min = 1) {
  Type type;
  type.kind = kind;
  type.name = std::move(name);
  type.serialized_min = serialized_min;
  return std::make_shared<const Type>(std::move(type));
}

TypePtr with_parameters(Type::Kind kind, std::string name, std::vector<TypePtr> parameters,
                        std::int64_t elements_max = -1) {
  Type type;
  type.kind = kind;
  type.name = std::move(name);
  type.parameters = std::move(parameters);
  type.elements_max = elements_max;
  type.serialized_min = 2;
  return std::make_shared<const Type>(std::move(type));
}

}  // namespace

#define KEELSON_CEL_TYPE(function, kind, name, size)                  \
  const TypePtr& function() {                                         \
    static const TypePtr type = simple(Type::Kind::kind, name, size); \
    return type;                                                      \
  }
KEELSON_CEL_TYPE(dyn_type, dyn, "dyn", 1)
KEELSON_CEL_TYPE(error_type, error, "!error!", 1)
KEELSON_CEL_TYPE(null_type, null, "null_type", 4)
KEELSON_CEL_TYPE(bool_type, boolean, "bool", 4)
KEELSON_CEL_TYPE(int_type, integer, "int", 1)
KEELSON_CEL_TYPE(uint_type, unsigned_integer, "uint", 1)
KEELSON_CEL_TYPE(double_type, number, "double", 1)
KEELSON_CEL_TYPE(string_type, string, "string", 2)
KEELSON_CEL_TYPE(bytes_type, bytes, "bytes", 2)
KEELSON_CEL_TYPE(timestamp_type, timestamp, "google.protobuf.Timestamp", 12)
KEELSON_CEL_TYPE(duration_type, duration, "google.protobuf.Duration", 3)
KEELSON_CEL_TYPE(type_type, type, "type", 1)
#undef KEELSON_CEL_TYPE

TypePtr list_of(TypePtr element, std::int64_t elements_max) {
  return with_parameters(Type::Kind::list, "list", {std::move(element)}, elements_max);
}
TypePtr map_of(TypePtr key, TypePtr value, std::int64_t elements_max) {
  return with_parameters(Type::Kind::map, "map", {std::move(key), std::move(value)}, elements_max);
}
TypePtr type_of(TypePtr parameter) {
  return with_parameters(Type::Kind::type, "type", {std::move(parameter)});
}
TypePtr parameter(std::string name) {
  return simple(Type::Kind::parameter, std::move(name));
}
TypePtr opaque_type(std::string name, std::vector<TypePtr> parameters) {
  return with_parameters(Type::Kind::opaque, std::move(name), std::move(parameters));
}
TypePtr object_type(std::string name) {
  Type type;
  type.kind = Type::Kind::opaque;
  type.name = std::move(name);
  type.is_object_type = true;
  return std::make_shared<const Type>(std::move(type));
}
TypePtr optional_of(TypePtr parameter) {
  return opaque_type("optional_type", {std::move(parameter)});
}

bool same_type(const Type& a, const Type& b) {
  if (&a == &b) return true;
  if (a.kind != b.kind || a.name != b.name || a.parameters.size() != b.parameters.size())
    return false;
  for (std::size_t i = 0; i < a.parameters.size(); ++i)
    if (!same_type(*a.parameters[i], *b.parameters[i])) return false;
  return true;
}

bool is_optional(const Type& type) {
  return type.kind == Type::Kind::opaque && type.name == "optional_type";
}

std::string to_text(const Type& type) {
  switch (type.kind) {
    case Type::Kind::timestamp: return "timestamp";
    case Type::Kind::duration: return "duration";
    case Type::Kind::null: return "null";
    default: break;
  }
  std::string text = type.name;
  for (std::size_t i = 0; i < type.parameters.size(); ++i)
    text += (i == 0 ? "(" : ", ") + to_text(*type.parameters[i]);
  if (!type.parameters.empty()) text += ')';
  return text;
}

std::string signature(const std::vector<TypePtr>& arguments, bool member) {
  std::string text;
  std::size_t first = 0;
  if (member) {
    text = to_text(*arguments[0]) + '.';
    first = 1;
  }
  text += '(';
  for (std::size_t i = first; i < arguments.size(); ++i) {
    if (i > first) text += ", ";
    text += to_text(*arguments[i]);
  }
  return text + ')';
}

}  // namespace keelson::codec::cel
