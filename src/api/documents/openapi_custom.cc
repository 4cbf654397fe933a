// v3 shows a schema as it was written, with what Kubernetes adds to each object. v2 shows what
// kubectl can read of it: no logical junctors, no defaults, nothing inside of what may be null or
// keeps unknown fields.
#include "api/documents/openapi_custom.h"

#include "api/documents/openapi_descriptions.h"
#include "base/text.h"

namespace keelson::api {
namespace {

constexpr std::string_view kObjectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
constexpr std::string_view kListMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
constexpr std::string_view kKeepsUnknown = "x-kubernetes-preserve-unknown-fields";

Value text_schema() {
  return Value::object({{"type", "string"}});
}

bool is_nullable(const Value& schema) {
  return schema["nullable"].as_bool();
}

Value integer_or_string() {
  return Value::array({Value::object({{"type", "integer"}}), Value::object({{"type", "string"}})});
}

// What x-kubernetes-int-or-string means, spelled out.
void unfold(Value& schema) {
  const Value either = integer_or_string();
  if (!schema["x-kubernetes-int-or-string"].as_bool() || schema["anyOf"] == either ||
      schema["allOf"][0]["anyOf"] == either)
    return;
  if (!schema.has("anyOf"))
    schema.set("anyOf", either);
  else
    schema.edit("allOf").insert(0, Value::object({{"anyOf", either}}));
}

void require(Value& schema, std::string_view name) {
  for (const Value& one : schema["required"].elements())
    if (one.as_string() == name) return;
  schema.edit("required").push_back(name);
}

// One of the members that all kinds have.
void set_member(const SchemaWriter& writer, Value& properties, std::string_view name,
                Value schema) {
  properties.set(name, writer.describe(std::move(schema), description_of("", name, true)));
}

class Publisher {
 public:
  explicit Publisher(SchemaWriter& writer) : writer_(writer) {}

  Value publish(Value schema) {
    if (writer_.v3())
      unfold(schema);
    else
      reduce(schema);
    drop_zeros(schema);
    for (const std::string_view key : {"properties", "additionalProperties", "items"}) {
      const Value* inner = schema.find(key);
      if (inner == nullptr || !inner->is_object()) continue;
      if (key == "properties") {
        Value published = Value::object();
        for (const codec::Member& member : inner->members())
          published.set(member.key(), publish(member.value));
        schema.set(key, std::move(published));
      } else {
        schema.set(key, publish(*inner));
      }
    }
    const bool hidden = !writer_.v3() && schema[kKeepsUnknown].as_bool();
    if (schema["x-kubernetes-embedded-resource"].as_bool() && !hidden) {
      add_object_members(schema);
      require(schema, "kind");
      require(schema, "apiVersion");
    }
    return schema;
  }

  void add_object_members(Value& schema) {
    Value& properties = schema.edit("properties");
    set_member(writer_, properties, "apiVersion", text_schema());
    set_member(writer_, properties, "kind", text_schema());
    set_member(writer_, properties, "metadata", writer_.member_reference(std::string(kObjectMeta)));
  }

 private:
  // What Go's encoding leaves out.
  static void drop_zeros(Value& schema) {
    for (const std::string_view key : {"default", "example"})
      if (const Value* value = schema.find(key); value != nullptr && value->is_null())
        schema.erase(key);
    for (const std::string_view key : {"nullable", "uniqueItems", "exclusiveMinimum",
                                       "exclusiveMaximum", "x-kubernetes-preserve-unknown-fields"})
      if (const Value* value = schema.find(key); value != nullptr && !value->as_bool())
        schema.erase(key);
  }

  static void reduce(Value& schema) {
    for (const std::string_view key : {"allOf", "anyOf", "oneOf", "not", "default"})
      schema.erase(key);
    const bool nullable = is_nullable(schema);
    const bool keeps = schema[kKeepsUnknown].as_bool();
    if (nullable || keeps) {
      schema.erase("items");
      schema.erase("properties");
    }
    const std::string_view type = schema["type"].as_string();
    if (nullable || (type == "array" && !schema.has("items")) || (keeps && type == "object"))
      schema.erase("type");
    schema.erase("nullable");
    if (is_nullable(schema["additionalProperties"])) schema.erase("required");
    if (!schema.has("required")) return;
    Value required = Value::array();
    for (const Value& name : schema["required"].elements())
      if (!is_nullable(schema["properties"][name.as_string()])) required.push_back(name);
    if (required.empty())
      schema.erase("required");
    else
      schema.set("required", std::move(required));
  }

  SchemaWriter& writer_;
};

Value selectable_fields(const model::Resource& resource) {
  Value fields = Value::array();
  for (const Value& one : resource.definition["selectableFields"].elements()) {
    std::string_view path = one["jsonPath"].as_string();
    if (path.starts_with('.')) path.remove_prefix(1);
    fields.push_back(Value::object({{"fieldPath", path}}));
  }
  return fields;
}

void mark(Value& schema, const model::Resource& resource, std::string_view kind) {
  schema.set("x-kubernetes-group-version-kind",
             Value::array({Value::object(
                 {{"group", resource.group}, {"version", resource.version}, {"kind", kind}})}));
  if (Value fields = selectable_fields(resource); !fields.empty())
    schema.set("x-kubernetes-selectable-fields", std::move(fields));
}

}  // namespace

void add_custom_schemas(SchemaWriter& writer, const model::Resource& resource) {
  const SchemaNames names = schema_names(resource);
  Value object = Value::object({{"type", "object"}});
  const bool hidden = !writer.v3() && resource.schema[kKeepsUnknown].as_bool();
  if (resource.schema.is_object() && !hidden) {
    Publisher publisher(writer);
    object = publisher.publish(resource.schema);
    publisher.add_object_members(object);
  }
  mark(object, resource, resource.kind);
  writer.add(names.object, std::move(object));
  if (names.list.empty()) return;
  const Value items = Value::object({{"type", "array"}, {"items", writer.reference(names.object)}});
  Value properties = Value::object();
  set_member(writer, properties, "apiVersion", text_schema());
  set_member(writer, properties, "kind", text_schema());
  set_member(writer, properties, "metadata", writer.member_reference(std::string(kListMeta)));
  set_member(writer, properties, "items", items);
  Value list = Value::object({{"type", "object"},
                              {"required", Value::array({"items"})},
                              {"properties", std::move(properties)}});
  mark(list, resource, resource.list_kind());
  writer.add(names.list, std::move(list));
}

}  // namespace keelson::api
