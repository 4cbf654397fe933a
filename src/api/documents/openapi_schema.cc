// Scalars that are structs in Go (quantities, times, int-or-string) are definitions of their own
// and are referred to; all other scalars stand in place.
#include "api/documents/openapi_schema.h"

#include <algorithm>
#include <vector>

#include "api/documents/openapi_descriptions.h"

namespace keelson::api {
namespace {

using codec::Scalar;
using codec::Shape;

constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.";

Value typed(std::string_view type, std::string_view format = {}) {
  Value schema = Value::object({{"type", type}});
  if (!format.empty()) schema.set("format", format);
  return schema;
}

Value zero_of(Scalar scalar) {
  switch (scalar) {
    case Scalar::boolean: return false;
    case Scalar::int32:
    case Scalar::int64:
    case Scalar::float64: return 0;
    case Scalar::string: return "";
    default: return {};
  }
}

Value texts(std::vector<std::string> list) {
  Value array = Value::array();
  for (std::string& text : list) array.push_back(std::move(text));
  return array;
}

void add_merging(Value& schema, const codec::Use& use) {
  const Shape shape = use.type->shape;
  if (shape == Shape::list && use.list_type != codec::ListType::atomic) {
    const bool map = use.list_type == codec::ListType::map;
    schema.set("x-kubernetes-list-type", map ? "map" : "set");
    if (map) schema.set("x-kubernetes-list-map-keys", texts(use.list_keys));
  } else if (shape == Shape::list && use.atomic) {
    schema.set("x-kubernetes-list-type", "atomic");
  } else if (use.atomic && shape == Shape::map) {
    schema.set("x-kubernetes-map-type", "atomic");
  }
  if (shape == Shape::scalar && use.type->scalar == Scalar::bytes && use.atomic)
    schema.set("x-kubernetes-list-type", "atomic");
  if (!use.merge_key.empty()) schema.set("x-kubernetes-patch-merge-key", use.merge_key);
  std::string strategy;
  if (use.patch_retain_keys) strategy = "retainKeys";
  if (use.patch_merge) strategy = strategy.empty() ? "merge" : "merge,retainKeys";
  if (use.patch_replace) strategy = "replace";
  if (!strategy.empty()) schema.set("x-kubernetes-patch-strategy", strategy);
}

// What OpenAPI says of some fields that follows from nothing else: marks in the original's sources.
struct Exception {
  std::string_view type, field;
  std::string_view zero;  // "": no default although the field is required
};
constexpr Exception kExceptions[] = {
    {"autoscaling.v1.ScaleSpec", "replicas", "0"},
    {"core.v1.ConfigMapEnvSource", "name", "\"\""},
    {"core.v1.ConfigMapKeySelector", "name", "\"\""},
    {"core.v1.ConfigMapProjection", "name", "\"\""},
    {"core.v1.ConfigMapVolumeSource", "name", "\"\""},
    {"core.v1.LocalObjectReference", "name", "\"\""},
    {"core.v1.SecretEnvSource", "name", "\"\""},
    {"core.v1.SecretKeySelector", "name", "\"\""},
    {"core.v1.SecretProjection", "name", "\"\""},
    {"core.v1.ReplicationControllerSpec", "minReadySeconds", "0"},
    {"core.v1.ContainerRestartRule", "action", ""},
    {"core.v1.ContainerRestartRuleOnExitCodes", "operator", ""},
    {"core.v1.ImageVolumeStatus", "imageRef", ""},
    {"core.v1.PodCertificateProjection", "keyType", ""},
    {"core.v1.PodCertificateProjection", "signerName", ""},
    {"authentication.v1.TokenReviewSpec", "token", ""},
    {"admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec", "policyName", ""},
    {"networking.v1.ParentReference", "name", ""},
    {"networking.v1.ParentReference", "resource", ""},
};

// Types of which one member at most is set: the name of the field that tells which, and the
// members.
struct Union {
  std::string_view type, discriminator;
  std::initializer_list<std::pair<std::string_view, std::string_view>> fields;
};
const Union kUnions[] = {
    {"core.v1.AppArmorProfile", "type", {{"localhostProfile", "LocalhostProfile"}}},
    {"core.v1.SeccompProfile", "type", {{"localhostProfile", "LocalhostProfile"}}},
    {"core.v1.PodSchedulingGroup", "", {{"podGroupName", "PodGroupName"}}},
    {"flowcontrol.v1.LimitResponse", "type", {{"queuing", "Queuing"}}},
    {"flowcontrol.v1.PriorityLevelConfigurationSpec",
     "type",
     {{"exempt", "Exempt"}, {"limited", "Limited"}}},
    {"flowcontrol.v1.Subject",
     "kind",
     {{"group", "Group"}, {"serviceAccount", "ServiceAccount"}, {"user", "User"}}},
};

constexpr std::pair<std::string_view, std::string_view> kGranular[] = {
    {"core.v1.PersistentVolumeClaimStatus", "allocatedResourceStatuses"},
    {"core.v1.PersistentVolumeSpec", "claimRef"}};

// "core.v1.Pod" of "io.k8s.api.core.v1.Pod".
std::string_view short_name(std::string_view name) {
  constexpr std::string_view kApi = "io.k8s.api.";
  return name.starts_with(kApi) ? name.substr(kApi.size()) : name;
}

std::string_view package_of(std::string_view name) {
  return name.substr(0, name.rfind('.'));
}

// Types whose JSON is of no one type.
bool is_bare(std::string_view name) {
  return name.starts_with("io.k8s.apiextensions-apiserver.") && name.find(".JSON") < name.size();
}

// References that v3 does not wrap, as the original's sources say nothing of the field.
bool is_bare_field(std::string_view type, std::string_view field) {
  if (type == "networking.v1.IngressRule") return field == "http";
  return type.ends_with(".v1.JSONSchemaProps") && field != "default";
}

void add_exceptions(std::string_view type, std::string_view field, bool v3, Value& schema) {
  if (v3)
    for (const Exception& one : kExceptions) {
      if (one.type != type || one.field != field) continue;
      if (one.zero.empty())
        schema.erase("default");
      else
        schema.set("default", one.zero == "0" ? Value(0) : Value(""));
    }
  for (const auto& [of, name] : kGranular)
    if (of == type && name == field) schema.set("x-kubernetes-map-type", "granular");
}

}  // namespace

SchemaWriter::SchemaWriter(bool v3, const model::TypeTable& types) : v3_(v3), types_(types) {
  packages_.emplace(std::string(kMeta.substr(0, kMeta.size() - 1)), GroupVersion("", "v1"));
  for (const model::ResourcePointer& resource : types.all())
    if (!resource->custom && resource->type != nullptr)
      packages_.emplace(std::string(package_of(resource->type->name)),
                        GroupVersion(resource->group, resource->version));
}

Value SchemaWriter::reference_to(const std::string& name) const {
  return Value::object({{"$ref", (v3_ ? "#/components/schemas/" : "#/definitions/") + name}});
}

Value SchemaWriter::reference(const std::string& name) {
  if (!has(name))
    if (const codec::Type* type = types_.type(name)) define(*type);
  return reference_to(name);
}

Value SchemaWriter::member_reference(const std::string& name) {
  reference(name);
  return wrap(name, false);
}

Value SchemaWriter::schemas() const {
  Value all = Value::object();
  for (const auto& [name, schema] : schemas_) all.set(name, schema);
  return all;
}

Value SchemaWriter::describe(Value schema, std::string_view text) const {
  const bool bare = v3_ && schema.has("$ref");
  if (!text.empty() && !bare) schema.set("description", text);
  return schema;
}

Value SchemaWriter::wrap(const std::string& name, bool with_default) const {
  if (!v3_) return reference_to(name);
  Value schema = Value::object({{"allOf", Value::array({reference_to(name)})}});
  if (with_default) schema.set("default", Value::object());
  return schema;
}

std::string SchemaWriter::scalar_definition(Scalar scalar) {
  std::string name;
  Value schema;
  switch (scalar) {
    case Scalar::quantity:
      name = "io.k8s.apimachinery.pkg.api.resource.Quantity";
      schema = v3_ ? Value::object({{"oneOf", Value::array({typed("string"), typed("number")})}})
                   : typed("string");
      break;
    case Scalar::time:
      name = std::string(kMeta) + "Time";
      schema = typed("string", "date-time");
      break;
    case Scalar::micro_time:
      name = std::string(kMeta) + "MicroTime";
      schema = typed("string", "date-time");
      break;
    case Scalar::duration:
      name = std::string(kMeta) + "Duration";
      schema = typed("string");
      break;
    case Scalar::int_or_string:
      name = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
      schema = v3_ ? Value::object({{"format", "int-or-string"},
                                    {"oneOf", Value::array({typed("integer"), typed("string")})}})
                   : typed("string", "int-or-string");
      break;
    default: return "";
  }
  if (!has(name)) add(name, std::move(schema));
  return name;
}

Value SchemaWriter::scalar(const codec::Type& type) {
  Value schema;
  switch (type.scalar) {
    case Scalar::boolean: schema = typed("boolean"); break;
    case Scalar::int32: schema = typed("integer", "int32"); break;
    case Scalar::int64: schema = typed("integer", "int64"); break;
    case Scalar::float64: schema = typed("number", "double"); break;
    case Scalar::bytes: schema = typed("string", "byte"); break;
    default: schema = typed("string"); break;
  }
  if (!type.enumeration.empty()) {
    std::vector<std::string> values = type.enumeration;
    std::sort(values.begin(), values.end());
    schema.set("enum", texts(std::move(values)));
  }
  return schema;
}

Value SchemaWriter::use(const codec::Use& use, bool element, bool pointer, bool zero_default) {
  const codec::Type& type = *use.type;
  Value schema;
  switch (type.shape) {
    case Shape::scalar: {
      const std::string name = scalar_definition(type.scalar);
      if (!name.empty()) {
        schema = element ? reference_to(name) : wrap(name, false);
        break;
      }
      schema = scalar(type);
      const Value zero = zero_of(type.scalar);
      if (v3_ && zero_default && !pointer && !zero.is_null()) schema.set("default", zero);
      break;
    }
    case Shape::structure:
      define(type);
      // Whether apply owns it as a whole is said of the type, not of its use.
      if (use.atomic) schemas_[type.name].set("x-kubernetes-map-type", "atomic");
      schema = wrap(type.name, !pointer);
      break;
    case Shape::list:
      schema = typed("array");
      schema.set("items", this->use(type.element, true, false, true));
      break;
    case Shape::map:
      schema = typed("object");
      schema.set("additionalProperties", this->use(type.element, true, false, true));
      break;
    case Shape::any:
      if (type.name.empty()) {
        schema = typed("object");
      } else {
        define(type);
        schema = element && is_bare(type.name) ? reference_to(type.name) : wrap(type.name, false);
      }
      break;
  }
  add_merging(schema, use);
  return schema;
}

void SchemaWriter::define(const codec::Type& type) {
  if (has(type.name)) return;
  if (type.shape != Shape::structure)
    return add(type.name, is_bare(type.name) ? Value::object() : typed("object"));
  add(type.name, typed("object"));  // before its fields: types may contain themselves
  Value properties = Value::object();
  Value required = Value::array();
  if (type.has_kind) {
    for (const std::string_view name : {"apiVersion", "kind"})
      properties.set(name, describe(typed("string"), description_of(type.name, name, true)));
  }
  for (const codec::Field& field : type.fields) {
    if (type.has_kind && (field.name == "kind" || field.name == "apiVersion")) continue;
    Value schema = use(field, false, field.pointer, field.required || field.keep_empty);
    if (v3_ && !field.default_value.is_null()) schema.set("default", field.default_value);
    add_exceptions(short_name(type.name), field.name, v3_, schema);
    if (schema.has("allOf") && is_bare_field(short_name(type.name), field.name))
      schema = Value(schema["allOf"][0]);  // a copy: the old value owns it
    properties.set(field.name, describe(std::move(schema),
                                        description_of(type.name, field.name, type.has_kind)));
    if (field.required) required.push_back(field.name);
  }
  Value schema = typed("object");
  if (!properties.empty()) schema.set("properties", std::move(properties));
  if (!required.empty()) schema.set("required", std::move(required));
  for (const Union& one : kUnions) {
    if (one.type != short_name(type.name)) continue;
    Value fields = Value::object();
    for (const auto& [name, capital] : one.fields) fields.set(name, capital);
    Value entry = Value::object({{"fields-to-discriminateBy", fields}});
    if (!one.discriminator.empty()) entry.set("discriminator", one.discriminator);
    schema.set("x-kubernetes-unions", Value::array({entry}));
  }
  mark(type, schema);
  add(type.name, describe(std::move(schema), description_of(type.name)));
}

void SchemaWriter::mark(const codec::Type& type, Value& schema) const {
  const std::string_view kind = std::string_view(type.name).substr(type.name.rfind('.') + 1);
  std::vector<GroupVersion> places;
  if (type.name == std::string(kMeta) + "DeleteOptions" ||
      type.name == std::string(kMeta) + "WatchEvent") {
    places = everywhere_;
  } else if (type.has_kind) {
    const auto found = packages_.find(package_of(type.name));
    if (found != packages_.end()) places.push_back(found->second);
  }
  if (places.empty()) return;
  Value marks = Value::array();
  for (const auto& [group, version] : places)
    marks.push_back(Value::object({{"group", group}, {"version", version}, {"kind", kind}}));
  schema.set("x-kubernetes-group-version-kind", std::move(marks));
}

}  // namespace keelson::api
