// A schema is used as it stands in the definition, as JSON; only merging and apply want types.
#include "model/structural_schema.h"

#include <algorithm>
#include <deque>

#include "base/text.h"
#include "model/custom/rules.h"
#include "model/meta.h"
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
  if (!subresources["status"].is_null())
    r.subresources.push_back(
        {"status", r.group, r.version, r.kind, {"get", "patch", "update"}, r.type});
  if (!subresources["scale"].is_null()) {
    const auto& types = builtin_types().types;
    r.subresources.push_back({"scale",
                              "autoscaling",
                              "v1",
                              "Scale",
                              {"get", "patch", "update"},
                              types.find("io.k8s.api.autoscaling.v1.Scale")->second});
  }
}

bool contains(const Value& list, const Value& one) {
  const auto& elements = list.elements();
  return std::find(elements.begin(), elements.end(), one) != elements.end();
}

std::string child(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + '.' + std::string(name);
}

bool is_type_field(std::string_view key) {
  return key == "apiVersion" || key == "kind" || key == "metadata";
}

// The schema of a member that is not among the properties; null: nothing is known of it.
const Value& other_members(const Value& schema) {
  return schema["additionalProperties"];
}

// Drops what no schema names. `additionalProperties: true` keeps members, but knows no schema for
// what is in them, so that of objects nothing stays; so does the original.
class Pruner {
 public:
  explicit Pruner(std::vector<std::string>* dropped) : dropped_(dropped) {}

  void prune(const Value& schema, Value& value, const std::string& path, bool resource) {
    const bool keep = schema[kPreserve].as_bool();
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (!value[i].is_object() && !value[i].is_array()) continue;
        const Value& items = schema["items"];
        if (keep && !items.is_object()) continue;
        prune(items, value.edit(i), path + '[' + std::to_string(i) + ']',
              items[kEmbedded].as_bool());
      }
      return;
    }
    if (!value.is_object()) return;
    const Value& properties = schema["properties"];
    const Value& others = other_members(schema);
    std::vector<std::string> gone;
    for (std::size_t i = 0; i < value.members().size(); ++i) {
      const codec::Member& member = value.members()[i];
      const std::string_view key = member.key();
      if (resource && is_type_field(key)) continue;
      const Value* inner = properties.find(key);
      if (inner == nullptr && !others.is_null()) inner = &others;
      if (inner == nullptr) {
        if (!keep) gone.emplace_back(key);
        continue;
      }
      if (!member.value.is_object() && !member.value.is_array()) continue;
      const std::string name(key);
      prune(*inner, value.edit(name), child(path, name), (*inner)[kEmbedded].as_bool());
    }
    for (const std::string& key : gone) {
      value.erase(key);
      if (dropped_ != nullptr && !(path.empty() && is_type_field(key)))
        dropped_->push_back(child(path, key));
    }
  }

 private:
  std::vector<std::string>* dropped_;
};

bool may_be_null(const Value& schema) {
  return !schema.is_object() || schema["nullable"].as_bool();
}

}  // namespace

Result<std::vector<Resource>> custom_resources(const Value& definition) {
  const Value& spec = definition["spec"];
  const Value& names = spec["names"];
  std::vector<Resource> all;
  for (const Value& version : spec["versions"].elements()) {
    Resource r;
    r.served = version["served"].as_bool();
    if (!r.served && !version["storage"].as_bool() &&
        !contains(definition["status"]["storedVersions"], version["name"]))
      continue;
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
    r.definition.set("conversion", spec["conversion"]);
    for (const Value& one : spec["versions"].elements())
      if (one["storage"].as_bool()) r.definition.set("storageVersion", one["name"]);
    r.schema_since = parse_int(revision_of(definition)).value_or(0);
    auto arena = std::make_shared<std::deque<Type>>();
    r.type = TypeMaker(*arena).make(r.schema, true);
    if (spec["preserveUnknownFields"].as_bool()) arena->front().preserve_unknown = true;
    r.types = arena;
    if (schema_has_rules(r.schema)) r.rules = std::make_shared<const LazyCustomRules>(r.schema);
    add_subresources(r, version["subresources"]);
    all.push_back(std::move(r));
  }
  return all;
}

void prune_custom(const Value& schema, Value& object, std::vector<std::string>* dropped) {
  Pruner(dropped).prune(schema, object, "", true);
}

void prune_custom_part(const Value& schema, Value& value) {
  Pruner(nullptr).prune(schema, value, "", schema[kEmbedded].as_bool());
}

void drop_nulls_custom(const Value& schema, Value& value) {
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i)
      if (value[i].is_object() || value[i].is_array())
        drop_nulls_custom(schema["items"], value.edit(i));
    return;
  }
  if (!value.is_object()) return;
  std::vector<std::string> gone;
  for (std::size_t i = 0; i < value.members().size(); ++i) {
    const Member& member = value.members()[i];
    const Value* inner = schema["properties"].find(member.key());
    if (inner == nullptr) inner = &other_members(schema);
    if (member.value.is_null()) {
      if (!may_be_null(*inner) && (*inner)["default"].is_null()) gone.emplace_back(member.key());
    } else if (inner->is_object() && (member.value.is_object() || member.value.is_array())) {
      drop_nulls_custom(*inner, value.edit(std::string(member.key())));
    }
  }
  for (const std::string& key : gone) value.erase(key);
}

void default_custom(const Value& schema, Value& value) {
  if (!schema.is_object()) return;
  if (value.is_array()) {
    const Value& items = schema["items"];
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i].is_null() && !may_be_null(items)) value.edit(i) = items["default"];
      if (value[i].is_object() || value[i].is_array()) default_custom(items, value.edit(i));
    }
    return;
  }
  if (!value.is_object()) return;
  const Value& properties = schema["properties"];
  for (const Member& member : properties.members()) {
    const Value& fallback = member.value["default"];
    if (fallback.is_null()) continue;
    const Value* present = value.find(member.key());
    if (present == nullptr || (present->is_null() && !may_be_null(member.value)))
      value.set(member.key(), fallback);
  }
  const Value& others = other_members(schema);
  for (std::size_t i = 0; i < value.members().size(); ++i) {
    const std::string key(value.members()[i].key());
    const Value* inner = properties.find(key);
    if (inner == nullptr && others.is_object()) {
      inner = &others;
      if (value[key].is_null() && !may_be_null(others)) value.set(key, others["default"]);
    }
    if (inner != nullptr && (value[key].is_object() || value[key].is_array()))
      default_custom(*inner, value.edit(key));
  }
}

bool schema_has_rules(const Value& schema) {
  if (!schema.is_object()) return false;
  if (!schema["x-kubernetes-validations"].empty()) return true;
  for (const Member& member : schema["properties"].members())
    if (schema_has_rules(member.value)) return true;
  return schema_has_rules(schema["items"]) || schema_has_rules(other_members(schema));
}

}  // namespace keelson::model
