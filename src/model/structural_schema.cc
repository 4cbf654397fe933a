// A schema is used as it stands in the definition, as JSON; only merging and apply want types.
#include "model/structural_schema.h"

#include <deque>

#include "model/types_parse.h"

namespace keelson::model {
namespace {

using codec::Field;
using codec::Member;
using codec::Scalar;
using codec::Shape;
using codec::Type;
using codec::Value;

constexpr const char* kPreserve = "x-kubernetes-preserve-unknown-fields";
constexpr const char* kEmbedded = "x-kubernetes-embedded-resource";
constexpr const char* kIntOrString = "x-kubernetes-int-or-string";

const Type* object_meta() {
  return builtin_types().types.find("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")->second;
}

class TypeMaker {
 public:
  explicit TypeMaker(std::deque<Type>& arena) : arena_(arena) {}

  const Type* make(const Value& schema, bool whole_object) {
    Type& type = arena_.emplace_back();
    const std::string_view kind = schema["type"].as_string();
    type.preserve_unknown = schema[kPreserve].as_bool();
    if (schema[kIntOrString].as_bool()) {
      scalar(type, Scalar::int_or_string);
    } else if (kind == "object" || whole_object) {
      object(type, schema, whole_object || schema[kEmbedded].as_bool());
    } else if (kind == "array") {
      type.shape = Shape::list;
      type.element.type = make(schema["items"], false);
    } else if (kind == "integer") {
      scalar(type, schema["format"].as_string() == "int32" ? Scalar::int32 : Scalar::int64);
    } else if (kind == "number") {
      scalar(type, Scalar::float64);
    } else if (kind == "boolean") {
      scalar(type, Scalar::boolean);
    } else if (kind == "string") {
      scalar(type, Scalar::string);
    } else {
      type.shape = Shape::any;
    }
    return &type;
  }

 private:
  static void scalar(Type& type, Scalar scalar) {
    type.shape = Shape::scalar;
    type.scalar = scalar;
  }

  void object(Type& type, const Value& schema, bool resource) {
    const Value& additional = schema["additionalProperties"];
    if (additional.is_object() && !resource) {
      type.shape = Shape::map;
      type.element.type = make(additional, false);
      use(type.element, additional);
      return;
    }
    type.shape = Shape::structure;
    if (resource) {
      type.has_kind = true;
      for (const char* name : {"kind", "apiVersion"}) {
        Field f;
        f.name = name;
        f.type = make(Value::object({{"type", "string"}}), false);
        type.fields.push_back(std::move(f));
      }
      Field metadata;
      metadata.name = "metadata";
      metadata.type = object_meta();
      type.fields.push_back(std::move(metadata));
    }
    for (const Member& member : schema["properties"].members()) {
      if (resource && type.field(member.key()) != nullptr) continue;
      Field f;
      f.name = member.key();
      f.type = make(member.value, false);
      f.pointer = true;
      f.default_value = member.value["default"];
      use(f, member.value);
      type.fields.push_back(std::move(f));
    }
    for (Field& f : type.fields)
      for (const Value& name : schema["required"].elements())
        if (name.as_string() == f.name) f.required = true;
  }

  static void use(codec::Use& use, const Value& schema) {
    const std::string_view list = schema["x-kubernetes-list-type"].as_string();
    if (list == "set") use.list_type = codec::ListType::set;
    if (list == "map") {
      use.list_type = codec::ListType::map;
      for (const Value& key : schema["x-kubernetes-list-map-keys"].elements())
        use.list_keys.push_back(key.str());
    }
    use.atomic = schema["x-kubernetes-map-type"].as_string() == "atomic" || list == "atomic";
    use.nullable = schema["nullable"].as_bool();
  }

  std::deque<Type>& arena_;
};

std::vector<std::string> texts_of(const Value& list) {
  std::vector<std::string> all;
  for (const Value& text : list.elements()) all.push_back(text.str());
  return all;
}

void add_subresources(Resource& r, const Value& subresources) {
  if (!subresources["scale"].is_null()) {
    const auto& types = builtin_types().types;
    r.subresources.push_back({"scale",
                              "autoscaling",
                              "v1",
                              "Scale",
                              {"get", "patch", "update"},
                              types.find("io.k8s.api.autoscaling.v1.Scale")->second});
  }
  if (!subresources["status"].is_null())
    r.subresources.push_back(
        {"status", r.group, r.version, r.kind, {"get", "patch", "update"}, r.type});
}

std::string child(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + '.' + std::string(name);
}

class Pruner {
 public:
  explicit Pruner(std::vector<std::string>* dropped) : dropped_(dropped) {}

  void prune(const Value& schema, Value& value, const std::string& path, bool resource) {
    if (value.is_array()) {
      const Value& items = schema["items"];
      if (!items.is_object()) return;
      for (std::size_t i = 0; i < value.size(); ++i)
        prune(items, value.edit(i), path + '[' + std::to_string(i) + ']',
              items[kEmbedded].as_bool());
      return;
    }
    if (!value.is_object()) return;
    const Value& additional = schema["additionalProperties"];
    const Value& properties = schema["properties"];
    std::vector<std::string> keys;
    for (const Member& member : value.members()) keys.emplace_back(member.key());
    for (const std::string& key : keys) {
      if (resource && (key == "apiVersion" || key == "kind" || key == "metadata")) continue;
      const Value* inner = properties.find(key);
      if (inner == nullptr && additional.is_object()) inner = &additional;
      if (inner != nullptr) {
        prune(*inner, value.edit(key), child(path, key), (*inner)[kEmbedded].as_bool());
      } else if (!schema[kPreserve].as_bool() && !additional.as_bool()) {
        value.erase(key);
        if (dropped_ != nullptr) dropped_->push_back(child(path, key));
      }
    }
  }

 private:
  std::vector<std::string>* dropped_;
};

}  // namespace

Result<std::vector<Resource>> custom_resources(const Value& definition) {
  const Value& spec = definition["spec"];
  const Value& names = spec["names"];
  std::vector<Resource> all;
  for (const Value& version : spec["versions"].elements()) {
    if (!version["served"].as_bool()) continue;
    Resource r;
    r.group = spec["group"].str();
    r.version = version["name"].str();
    r.plural = names["plural"].str();
    r.singular = names["singular"].str();
    r.kind = names["kind"].str();
    r.namespaced = spec["scope"].as_string() == "Namespaced";
    r.storage = version["storage"].as_bool();
    r.custom = true;
    r.short_names = texts_of(names["shortNames"]);
    r.categories = texts_of(names["categories"]);
    r.verbs = {"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"};
    r.stored_as = r.name();
    r.schema = version["schema"]["openAPIV3Schema"];
    r.definition = version;
    r.definition.set("names", names);
    auto arena = std::make_shared<std::deque<Type>>();
    r.type = TypeMaker(*arena).make(r.schema, true);
    if (spec["preserveUnknownFields"].as_bool()) arena->front().preserve_unknown = true;
    r.types = arena;
    add_subresources(r, version["subresources"]);
    all.push_back(std::move(r));
  }
  // Objects are kept in one version even if that one is not served: then the first served one
  // stands for it, as conversion is by apiVersion alone.
  bool storage = false;
  for (const Resource& r : all) storage = storage || r.storage;
  if (!storage && !all.empty()) all.front().storage = true;
  return all;
}

void prune_custom(const Value& schema, Value& object, std::vector<std::string>* dropped) {
  Pruner(dropped).prune(schema, object, "", true);
}

void default_custom(const Value& schema, Value& value) {
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) default_custom(schema["items"], value.edit(i));
    return;
  }
  if (!value.is_object()) return;
  const Value& properties = schema["properties"];
  for (const Member& member : properties.members()) {
    const Value* present = value.find(member.key());
    const Value& fallback = member.value["default"];
    const bool null = present != nullptr && present->is_null();
    if (null && !member.value["nullable"].as_bool()) {
      value.erase(member.key());
      present = nullptr;
    }
    if (present == nullptr && !fallback.is_null()) value.set(member.key(), fallback);
    if (value.has(member.key()) &&
        (value[member.key()].is_object() || value[member.key()].is_array()))
      default_custom(member.value, value.edit(member.key()));
  }
  if (const Value& additional = schema["additionalProperties"]; additional.is_object()) {
    std::vector<std::string> keys;
    for (const Member& member : value.members())
      if (!properties.has(member.key())) keys.emplace_back(member.key());
    for (const std::string& key : keys) {
      if (value[key].is_null() && !additional["nullable"].as_bool()) {
        if (additional.has("default"))
          value.set(key, additional["default"]);
        else
          value.erase(key);
      }
      if (value.has(key)) default_custom(additional, value.edit(key));
    }
  }
}

}  // namespace keelson::model
