#include "model/custom/rule_types.h"

#include <algorithm>

namespace keelson::model {

namespace {

using codec::Value;
using codec::cel::ListShape;
using codec::cel::Shape;
using codec::cel::ShapePtr;
using codec::cel::Type;
using codec::cel::TypePtr;

constexpr const char *kPreserve = "x-kubernetes-preserve-unknown-fields",
                     *kEmbedded = "x-kubernetes-embedded-resource",
                     *kIntOrString = "x-kubernetes-int-or-string";

// A whole object has apiVersion, kind and some of its metadata, whatever the schema says.
Value with_metadata(Value schema) {
  const Value text = Value::object({{"type", "string"}});
  Value& properties = schema.edit("properties");
  const auto is_text = [](const Value& property) {
    return property["type"].as_string() == "string";
  };
  const Value& metadata = properties["metadata"];
  if (is_text(properties["kind"]) && is_text(properties["apiVersion"]) &&
      metadata["type"].as_string() == "object" && is_text(metadata["properties"]["name"]) &&
      is_text(metadata["properties"]["generateName"]))
    return schema;
  properties.set("kind", text);
  properties.set("apiVersion", text);
  properties.set(
      "metadata",
      Value::object({{"type", "object"},
                     {"properties", Value::object({{"name", text}, {"generateName", text}})}}));
  return schema;
}

std::int64_t bound(const Value& value) {
  return std::max<std::int64_t>(0, value.as_int());
}

TypePtr sized(const TypePtr& type, std::int64_t elements_max, std::int64_t serialized_min) {
  Type copy = *type;
  copy.elements_max = elements_max;
  copy.serialized_min = serialized_min;
  return std::make_shared<const Type>(std::move(copy));
}

TypePtr text_type(const Value& schema) {
  using namespace codec::cel;
  const std::string_view format = schema["format"].as_string();
  const Value& length = schema["maxLength"];
  constexpr std::int64_t kAny = kRequestBytesMax - 2;
  if (format == "byte") return sized(bytes_type(), length.is_null() ? kAny : bound(length), 2);
  if (format == "duration") return sized(duration_type(), 32, 3);
  if (format == "date") return sized(timestamp_type(), 12, 12);
  if (format == "date-time") return sized(timestamp_type(), 32, 21);
  if (!length.is_null()) return sized(string_type(), bound(length) * 4, 2);
  std::int64_t longest = schema["enum"].empty() ? kAny : 0;
  for (const Value& value : schema["enum"].elements())
    longest = std::max(longest, static_cast<std::int64_t>(value.as_string().size()));
  return sized(string_type(), longest, 2);
}

TypePtr object_type(const Value& schema, const std::string& name) {
  const Value& others = schema["additionalProperties"];
  if (others.is_object()) {
    TypePtr value = rule_type(others, name + ".@elem", others[kEmbedded].as_bool());
    if (!value) return nullptr;
    const std::int64_t most = schema["maxProperties"].is_null()
                                  ? (kRequestBytesMax - 2) / (value->serialized_min + 6)
                                  : bound(schema["maxProperties"]);
    return codec::cel::map_of(codec::cel::string_type(), std::move(value), most);
  }
  Type type;
  type.kind = Type::Kind::object;
  type.name = name;
  type.serialized_min = 2;
  const auto& required = schema["required"].elements();
  for (const codec::Member& member : schema["properties"].members()) {
    std::string field;
    const Value& property = member.value;
    const bool can_be_named = codec::cel::escape_name(member.key(), field);
    TypePtr field_type = rule_type(property, name + "." + field, property[kEmbedded].as_bool());
    if (!field_type) continue;
    if (property["default"].is_null() &&
        std::find(required.begin(), required.end(), member.key_value) != required.end())
      type.serialized_min +=
          static_cast<std::int64_t>(member.key().size()) + field_type->serialized_min + 4;
    if (can_be_named) type.fields.emplace(field, std::move(field_type));
  }
  return std::make_shared<const Type>(std::move(type));
}

}  // namespace

TypePtr rule_type(const Value& given, const std::string& name, bool root) {
  if (given[kIntOrString].as_bool()) {
    const Value& length = given["maxLength"];
    return sized(codec::cel::dyn_type(),
                 length.is_null() ? kRequestBytesMax - 2 : bound(length) * 4, 1);
  }
  const Value schema = root ? with_metadata(given) : given;
  const std::string_view type = schema["type"].as_string();
  if (type == "array") {
    const Value& items = schema["items"];
    if (!items.is_object()) return nullptr;
    TypePtr element = rule_type(items, name + ".@idx", items[kEmbedded].as_bool());
    if (!element) return nullptr;
    const std::int64_t most = schema["maxItems"].is_null()
                                  ? (kRequestBytesMax - 2) / (element->serialized_min + 1)
                                  : bound(schema["maxItems"]);
    return codec::cel::list_of(std::move(element), most);
  }
  if (type == "object") return object_type(schema, name);
  if (type == "string") return text_type(schema);
  if (type == "boolean") return codec::cel::bool_type();
  if (type == "number") return codec::cel::double_type();
  if (type == "integer") return codec::cel::int_type();
  return nullptr;
}

ShapePtr rule_shape(const Value& given, bool root) {
  const Value schema = root || given[kEmbedded].as_bool() ? with_metadata(given) : given;
  auto shape = std::make_shared<Shape>();
  shape->nullable = schema["nullable"].as_bool();
  shape->type_name = schema["type"].str();
  const std::string& type = shape->type_name;
  if (schema[kIntOrString].as_bool()) {
    shape->kind = Shape::Kind::int_or_string;
  } else if (type == "object") {
    shape->kind = Shape::Kind::object;
    shape->has_properties = !schema["properties"].is_null() || schema[kEmbedded].as_bool();
    for (const codec::Member& member : schema["properties"].members())
      shape->properties.emplace(std::string(member.key()), rule_shape(member.value, false));
    if (!shape->has_properties && schema["additionalProperties"].is_object())
      shape->additional = rule_shape(schema["additionalProperties"], false);
  } else if (type == "array") {
    shape->kind = Shape::Kind::array;
    if (schema["items"].is_object()) shape->items = rule_shape(schema["items"], false);
    const std::string_view list = schema["x-kubernetes-list-type"].as_string();
    shape->list.kind = list == "set"   ? ListShape::Kind::set
                       : list == "map" ? ListShape::Kind::map
                                       : ListShape::Kind::atomic;
    for (const Value& key : schema["x-kubernetes-list-map-keys"].elements()) {
      std::string escaped;
      shape->list.keys.push_back(codec::cel::escape_name(key.as_string(), escaped) ? escaped
                                                                                   : key.str());
    }
  } else if (type == "string") {
    shape->kind = Shape::Kind::string;
    const std::string_view format = schema["format"].as_string();
    if (format == "duration") shape->format = Shape::Format::duration;
    if (format == "date") shape->format = Shape::Format::date;
    if (format == "date-time") shape->format = Shape::Format::date_time;
    if (format == "byte") shape->format = Shape::Format::byte;
  } else if (type == "number") {
    shape->kind = Shape::Kind::number;
  } else if (type == "integer") {
    shape->kind = Shape::Kind::integer;
  } else if (type == "boolean") {
    shape->kind = Shape::Kind::boolean;
  } else if (schema[kPreserve].as_bool()) {
    shape->kind = Shape::Kind::preserved;
  }
  return shape;
}

codec::cel::SizeHint size_hint(TypePtr root) {
  return
      [root = std::move(root)](const std::vector<std::string>& path, codec::cel::Estimate& size) {
        const Type* type = root.get();
        for (std::size_t i = 1; i < path.size(); ++i) {
          const std::string& name = path[i];
          if (name == "@items" || name == "@values") {
            if (type->kind != Type::Kind::list && type->kind != Type::Kind::map) return false;
            type = type->parameters.back().get();
          } else if (name == "@keys") {
            if (type->kind != Type::Kind::map) return false;
            type = type->parameters[0].get();
          } else {
            const auto field = type->fields.find(name);
            if (field == type->fields.end()) return false;
            type = field->second.get();
          }
        }
        size = {0, static_cast<std::uint64_t>(std::max<std::int64_t>(0, type->elements_max))};
        return true;
      };
}

}  // namespace keelson::model
