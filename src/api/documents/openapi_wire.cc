// Only the members that our documents have are known here; what a schema of a custom resource may
// hold is all there. Field numbers: gnostic-models openapiv2/OpenAPIv2.proto, openapiv3.
#include "api/documents/openapi_wire.h"

#include <cstring>

#include "codec/yaml.h"

namespace keelson::api {
namespace {

using codec::Value;

// A protobuf message as it is put together. proto3: what is empty or zero is left out, but for
// messages and what stands in a choice (`chosen`).
class Message {
 public:
  const std::string& bytes() const { return bytes_; }

  void text(int number, std::string_view value, bool chosen = false) {
    if (!value.empty() || chosen) put(number, value);
  }
  void flag(int number, bool value, bool chosen = false) {
    if (!value && !chosen) return;
    tag(number, 0);
    bytes_ += static_cast<char>(value ? 1 : 0);
  }
  void whole(int number, std::int64_t value) {
    if (value == 0) return;
    tag(number, 0);
    varint(static_cast<std::uint64_t>(value));
  }
  void real(int number, double value, bool chosen = false) {
    if (value == 0 && !chosen) return;
    constexpr unsigned fixed64 = 1;
    tag(number, fixed64);
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof raw);
  }
  void message(int number, const Message& inner) { put(number, inner.bytes_); }
  void texts(int number, const Value& list) {
    for (const Value& one : list.elements()) put(number, one.as_string());
  }

 private:
  void put(int number, std::string_view value) {
    constexpr unsigned length_delimited = 2;
    tag(number, length_delimited);
    varint(value.size());
    bytes_ += value;
  }
  void tag(int number, unsigned wire) { varint(static_cast<std::uint64_t>(number) << 3 | wire); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80U);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

// A message around one other: the choices and lists of the format are full of them.
Message around(int number, const Message& inner) {
  Message outer;
  outer.message(number, inner);
  return outer;
}

Message any(const Value& value) {
  Message message;
  message.text(2, codec::to_yaml(value));
  return message;
}

Message named(std::string_view name, const Message& value) {
  Message message;
  message.text(1, name);
  message.message(2, value);
  return message;
}

// What begins with "x-".
void add_extensions(Message& message, int number, const Value& value) {
  for (const codec::Member& member : value.members())
    if (member.key().starts_with("x-"))
      message.message(number, named(member.key(), any(member.value)));
}

// All members of an object, each a named message in `number`.
template <class Make>
Message all_named(int number, const Value& object, const Make& make) {
  Message message;
  for (const codec::Member& member : object.members())
    message.message(number, named(member.key(), make(member.value)));
  return message;
}

Message external_documents(const Value& value) {
  Message message;
  message.text(1, value["description"].as_string());
  message.text(2, value["url"].as_string());
  return message;
}

// Members of a schema that both versions know; the numbers of their fields in each, 0: not there.
struct SchemaMember {
  std::string_view name;
  int v2, v3;
};
constexpr SchemaMember kTexts[] = {
    {"format", 2, 35}, {"title", 3, 9}, {"description", 4, 34}, {"pattern", 13, 17}};
constexpr SchemaMember kFlags[] = {{"exclusiveMaximum", 8, 12},
                                   {"exclusiveMinimum", 10, 14},
                                   {"uniqueItems", 16, 20},
                                   {"nullable", 0, 1}};
constexpr SchemaMember kReals[] = {{"multipleOf", 6, 10}, {"maximum", 7, 11}, {"minimum", 9, 13}};
constexpr SchemaMember kWholes[] = {{"maxLength", 11, 15},     {"minLength", 12, 16},
                                    {"maxItems", 14, 18},      {"minItems", 15, 19},
                                    {"maxProperties", 17, 21}, {"minProperties", 18, 22}};

Message common_schema(const Value& schema, bool v3) {
  Message message;
  const auto each = [&](const auto& list, const auto& add) {
    for (const SchemaMember& one : list) {
      const int number = v3 ? one.v3 : one.v2;
      const Value* value = schema.find(one.name);
      if (value != nullptr && number != 0) add(number, *value);
    }
  };
  each(kTexts, [&](int number, const Value& value) { message.text(number, value.as_string()); });
  each(kFlags, [&](int number, const Value& value) { message.flag(number, value.as_bool()); });
  each(kReals, [&](int number, const Value& value) { message.real(number, value.as_double()); });
  each(kWholes, [&](int number, const Value& value) { message.whole(number, value.as_int()); });
  message.texts(v3 ? 23 : 19, schema["required"]);
  for (const Value& one : schema["enum"].elements()) message.message(v3 ? 24 : 20, any(one));
  if (schema.has("example")) message.message(v3 ? 7 : 30, any(schema["example"]));
  if (schema.has("externalDocs"))
    message.message(v3 ? 6 : 29, external_documents(schema["externalDocs"]));
  add_extensions(message, v3 ? 36 : 31, schema);
  return message;
}

Message information(const Value& value, int version_number) {
  Message message;
  message.text(1, value["title"].as_string());
  message.text(version_number, value["version"].as_string());
  return message;
}

// ---- version 2 ----

Message schema_v2(const Value& schema) {
  Message message = common_schema(schema, false);
  message.text(1, schema["$ref"].as_string());
  if (const Value* value = schema.find("default")) message.message(5, any(*value));
  if (const Value* more = schema.find("additionalProperties")) {
    Message item;
    if (more->is_bool())
      item.flag(2, more->as_bool(), true);
    else
      item.message(1, schema_v2(*more));
    message.message(21, item);
  }
  if (const Value* type = schema.find("type")) {
    Message item;
    item.text(1, type->as_string());
    message.message(22, item);
  }
  if (const Value* items = schema.find("items")) message.message(23, around(1, schema_v2(*items)));
  for (const Value& one : schema["allOf"].elements()) message.message(24, schema_v2(one));
  if (const Value* properties = schema.find("properties"))
    message.message(25, all_named(1, *properties, schema_v2));
  return message;
}

Message parameter_v2(const Value& value) {
  Message message;
  const std::string_view in = value["in"].as_string();
  if (in == "body") {
    message.text(1, value["description"].as_string());
    message.text(2, value["name"].as_string());
    message.text(3, in);
    message.flag(4, value["required"].as_bool());
    message.message(5, schema_v2(value["schema"]));
    return around(1, message);
  }
  const bool in_path = in == "path";
  const int shift = in_path ? 0 : 1;  // queries have allow_empty_value before the type
  message.flag(1, value["required"].as_bool());
  message.text(2, in);
  message.text(3, value["description"].as_string());
  message.text(4, value["name"].as_string());
  message.text(5 + shift, value["type"].as_string());
  message.text(6 + shift, value["format"].as_string());
  message.flag(19 + shift, value["uniqueItems"].as_bool());
  return around(2, around(in_path ? 4 : 3, message));
}

Message parameters_item_v2(const Value& value) {
  if (!value.has("$ref")) return around(1, parameter_v2(value));
  Message reference;
  reference.text(1, value["$ref"].as_string());
  return around(2, reference);
}

Message response_v2(const Value& value) {
  Message message;
  message.text(1, value["description"].as_string());
  if (const Value* schema = value.find("schema")) message.message(2, around(1, schema_v2(*schema)));
  return around(1, message);
}

Message operation_v2(const Value& value) {
  Message message;
  message.texts(1, value["tags"]);
  message.text(3, value["description"].as_string());
  message.text(5, value["operationId"].as_string());
  message.texts(6, value["produces"]);
  message.texts(7, value["consumes"]);
  for (const Value& one : value["parameters"].elements())
    message.message(8, parameters_item_v2(one));
  message.message(9, all_named(1, value["responses"], response_v2));
  message.texts(10, value["schemes"]);
  add_extensions(message, 13, value);
  return message;
}

struct Method {
  std::string_view name;
  int v2, v3;
};
constexpr Method kMethods[] = {{"get", 2, 4},     {"put", 3, 5},  {"post", 4, 6},  {"delete", 5, 7},
                               {"options", 6, 8}, {"head", 7, 9}, {"patch", 8, 10}};

Message path_v2(const Value& value) {
  Message message;
  for (const Method& method : kMethods)
    if (const Value* operation = value.find(method.name))
      message.message(method.v2, operation_v2(*operation));
  for (const Value& one : value["parameters"].elements())
    message.message(9, parameters_item_v2(one));
  return message;
}

Message api_key(const Value& value, bool v3) {
  Message message;
  message.text(1, value["type"].as_string());
  message.text(v3 ? 3 : 2, value["name"].as_string());
  message.text(v3 ? 4 : 3, value["in"].as_string());
  return around(v3 ? 1 : 2, message);
}

Message strings(const Value& list) {
  Message message;
  message.texts(1, list);
  return message;
}

// ---- version 3 ----

Message schema_v3(const Value& schema);

Message schema_or_reference(const Value& schema) {
  if (!schema.has("$ref")) return around(1, schema_v3(schema));
  Message reference;
  reference.text(1, schema["$ref"].as_string());
  reference.text(3, schema["description"].as_string());
  return around(2, reference);
}

// Objects and lists have no form here; the original leaves them empty.
Message default_v3(const Value& value) {
  Message message;
  if (value.is_number()) message.real(1, value.as_double(), true);
  if (value.is_bool()) message.flag(2, value.as_bool(), true);
  if (value.is_string()) message.text(3, value.as_string(), true);
  return message;
}

Message schema_v3(const Value& schema) {
  Message message = common_schema(schema, true);
  message.text(25, schema["type"].as_string());
  struct Junctor {
    std::string_view name;
    int number;
  };
  for (const auto& [name, number] : {Junctor{"allOf", 26}, {"oneOf", 27}, {"anyOf", 28}})
    for (const Value& one : schema[name].elements())
      message.message(number, schema_or_reference(one));
  if (const Value* value = schema.find("not")) message.message(29, schema_v3(*value));
  if (const Value* items = schema.find("items"))
    message.message(30, around(1, schema_or_reference(*items)));
  if (const Value* properties = schema.find("properties"))
    message.message(31, all_named(1, *properties, schema_or_reference));
  if (const Value* more = schema.find("additionalProperties")) {
    Message item;
    if (more->is_bool())
      item.flag(2, more->as_bool(), true);
    else
      item.message(1, schema_or_reference(*more));
    message.message(32, item);
  }
  if (const Value* value = schema.find("default")) message.message(33, default_v3(*value));
  return message;
}

Message parameter_v3(const Value& value) {
  Message message;
  message.text(1, value["name"].as_string());
  message.text(2, value["in"].as_string());
  message.text(3, value["description"].as_string());
  message.flag(4, value["required"].as_bool());
  message.message(10, schema_or_reference(value["schema"]));
  return around(1, message);
}

Message media_type_v3(const Value& value) {
  return around(1, schema_or_reference(value["schema"]));
}

Message response_v3(const Value& value) {
  Message message;
  message.text(1, value["description"].as_string());
  if (const Value* content = value.find("content"))
    message.message(3, all_named(1, *content, media_type_v3));
  return around(1, message);
}

Message request_v3(const Value& value) {
  Message message;
  message.message(2, all_named(1, value["content"], media_type_v3));
  message.flag(3, value["required"].as_bool());
  return around(1, message);
}

Message operation_v3(const Value& value) {
  Message message;
  message.texts(1, value["tags"]);
  message.text(3, value["description"].as_string());
  message.text(5, value["operationId"].as_string());
  for (const Value& one : value["parameters"].elements()) message.message(6, parameter_v3(one));
  if (const Value* body = value.find("requestBody")) message.message(7, request_v3(*body));
  message.message(8, all_named(2, value["responses"], response_v3));
  add_extensions(message, 13, value);
  return message;
}

Message path_v3(const Value& value) {
  Message message;
  for (const Method& method : kMethods)
    if (const Value* operation = value.find(method.name))
      message.message(method.v3, operation_v3(*operation));
  for (const Value& one : value["parameters"].elements()) message.message(13, parameter_v3(one));
  return message;
}

}  // namespace

std::string openapi_v2_wire(const Value& document) {
  Message message;
  message.text(1, document["swagger"].as_string());
  message.message(2, information(document["info"], 2));
  message.message(8, all_named(2, document["paths"], path_v2));
  message.message(9, all_named(1, document["definitions"], schema_v2));
  message.message(10, all_named(1, document["parameters"], parameter_v2));
  for (const Value& one : document["security"].elements())
    message.message(12, all_named(1, one, strings));
  message.message(13, all_named(1, document["securityDefinitions"],
                                [](const Value& one) { return api_key(one, false); }));
  return message.bytes();
}

std::string openapi_v3_wire(const Value& document) {
  Message components;
  if (const Value* schemas = document["components"].find("schemas"))
    components.message(1, all_named(1, *schemas, schema_or_reference));
  if (const Value* schemes = document["components"].find("securitySchemes"))
    components.message(7,
                       all_named(1, *schemes, [](const Value& one) { return api_key(one, true); }));
  Message message;
  message.text(1, document["openapi"].as_string());
  message.message(2, information(document["info"], 6));
  message.message(4, all_named(1, document["paths"], path_v3));
  message.message(5, components);
  return message.bytes();
}

}  // namespace keelson::api
