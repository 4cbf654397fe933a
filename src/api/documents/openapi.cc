// An operation names the schemas it needs; a document holds what its operations reach.
#include "api/documents/openapi.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "api/documents/openapi_custom.h"
#include "api/documents/openapi_paths.h"
#include "api/documents/openapi_schema.h"
#include "base/text.h"
#include "codec/json.h"

namespace keelson::api {
namespace {

constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.";

// In which groups and versions the original knows DeleteOptions and WatchEvent, served or not. Some
// are no part of its client library, of which the documents of custom resources are made.
struct KnownGroup {
  std::string_view group, versions;
  bool client = true;
};
constexpr KnownGroup kKnownGroups[] = {
    {"", "v1"},
    {"admission.k8s.io", "v1,v1beta1", false},
    {"admissionregistration.k8s.io", "v1,v1alpha1,v1beta1"},
    {"apiextensions.k8s.io", "v1,v1beta1", false},
    {"apiregistration.k8s.io", "v1,v1beta1", false},
    {"apps", "v1,v1beta1,v1beta2"},
    {"authentication.k8s.io", "v1,v1alpha1,v1beta1"},
    {"authorization.k8s.io", "v1,v1beta1"},
    {"autoscaling", "v1,v2"},
    {"batch", "v1,v1beta1"},
    {"certificates.k8s.io", "v1,v1alpha1,v1beta1"},
    {"coordination.k8s.io", "v1,v1alpha2,v1beta1"},
    {"discovery.k8s.io", "v1,v1beta1"},
    {"events.k8s.io", "v1,v1beta1"},
    {"extensions", "v1beta1"},
    {"flowcontrol.apiserver.k8s.io", "v1,v1beta1,v1beta2,v1beta3"},
    {"imagepolicy.k8s.io", "v1alpha1", false},
    {"internal.apiserver.k8s.io", "v1alpha1"},
    {"networking.k8s.io", "v1,v1beta1"},
    {"node.k8s.io", "v1,v1alpha1,v1beta1"},
    {"policy", "v1,v1beta1"},
    {"rbac.authorization.k8s.io", "v1,v1alpha1,v1beta1"},
    {"resource.k8s.io", "v1,v1alpha3,v1beta1,v1beta2"},
    {"scheduling.k8s.io", "v1,v1alpha2,v1beta1"},
    {"storage.k8s.io", "v1,v1alpha1,v1beta1"},
    {"storagemigration.k8s.io", "v1beta1"}};

std::vector<GroupVersion> known_groups(bool client_only) {
  std::vector<GroupVersion> list;
  for (const KnownGroup& one : kKnownGroups)
    if (one.client || !client_only)
      for (std::string& version : split(one.versions, ','))
        list.emplace_back(one.group, std::move(version));
  return list;
}

std::string_view meaning_of(int code) {
  switch (code) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    default: return "Unauthorized";
  }
}

using Key = std::pair<std::string_view, std::string_view>;  // name and place of a parameter

std::string_view place_of(const Parameter& parameter) {
  return parameter.in_path ? "path" : "query";
}

// The paths of one document, and what they share.
class PathWriter {
 public:
  explicit PathWriter(SchemaWriter& schemas) : schemas_(schemas) {}

  // What all operations of a path take is said of the path.
  void write(const Path& path) {
    std::map<Key, std::size_t> uses;
    for (const Operation& operation : path.operations)
      for (const Parameter* one : operation.parameters) ++uses[{one->name, place_of(*one)}];
    const auto is_common = [&](const Parameter& one) {
      return uses[{one.name, place_of(one)}] == path.operations.size();
    };
    Value item = Value::object();
    std::map<Key, Value> common;
    for (const Operation& operation : path.operations) {
      std::map<Key, Value> own;
      for (const Parameter* one : operation.parameters)
        (is_common(*one) ? common : own).emplace(Key(one->name, place_of(*one)), parameter(*one));
      item.set(operation.method, write_operation(operation, std::move(own)));
    }
    if (!common.empty()) item.set("parameters", list_of(std::move(common)));
    paths_.set(path.path, std::move(item));
  }

  Value take_paths() { return std::move(paths_); }
  Value take_shared() { return std::move(shared_); }

 private:
  static Value list_of(std::map<Key, Value> parameters) {
    Value list = Value::array();
    for (auto& [key, one] : parameters) list.push_back(std::move(one));
    return list;
  }

  // Few are used everywhere: all operations hold the same one.
  const Value& parameter(const Parameter& one) {
    Value& known = parameters_[{one.name, one.shared}];
    if (known.is_null()) known = make_parameter(one);
    return known;
  }

  Value make_parameter(const Parameter& one) {
    const Value type = Value::object({{"type", one.type}, {"uniqueItems", true}});
    Value result = schemas_.v3() ? Value::object({{"schema", type}}) : type;
    result.set("name", one.name);
    result.set("in", place_of(one));
    if (one.in_path) result.set("required", true);
    return schemas_.v3() || one.shared.empty() ? result : share(one.name, one.shared, result);
  }

  Value share(std::string_view name, std::string_view suffix, Value parameter) {
    const std::string place = std::string(name) + "-" + std::string(suffix);
    shared_.set(place, std::move(parameter));
    return Value::object({{"$ref", "#/parameters/" + place}});
  }

  Value body_parameter(const Operation& operation) {
    Value body = Value::object(
        {{"name", "body"}, {"in", "body"}, {"schema", schemas_.reference(operation.body)}});
    if (operation.body_required) body.set("required", true);
    if (operation.body == std::string(kMeta) + "DeleteOptions")
      return share("body", "2Y1dVQaQ", std::move(body));
    if (operation.body == std::string(kMeta) + "Patch")
      return share("body", "78PwaGsr", std::move(body));
    return body;
  }

  static Value contents(MediaTypes types, const Value& schema) {
    const Value body = Value::object({{"schema", schema}});
    Value content = Value::object();
    for (const std::string_view type : types) content.set(type, body);
    return content;
  }

  const Value& responses(const Operation& operation) {
    const ResponseKey key{operation.answer, operation.codes,
                          codec::to_json(texts(operation.produces))};
    Value& known = responses_[key];
    if (known.is_null()) known = make_responses(operation);
    return known;
  }

  Value make_responses(const Operation& operation) {
    const Value schema = operation.answer.empty() ? Value::object({{"type", "string"}})
                                                  : schemas_.reference(operation.answer);
    Value all = Value::object();
    for (const int code : operation.codes) {
      Value response = Value::object({{"description", meaning_of(code)}});
      if (schemas_.v3())
        response.set("content", contents(operation.produces, schema));
      else
        response.set("schema", schema);
      all.set(std::to_string(code), std::move(response));
    }
    all.set("401", Value::object({{"description", meaning_of(401)}}));
    return all;
  }

  static Value texts(MediaTypes list) {
    Value array = Value::array();
    for (const std::string_view one : list) array.push_back(one);
    return array;
  }

  Value write_operation(const Operation& operation, std::map<Key, Value> own) {
    Value result = Value::object({{"tags", Value::array({operation.tag})},
                                  {"operationId", operation.id},
                                  {"responses", responses(operation)}});
    if (!operation.action.empty()) {
      result.set("x-kubernetes-action", operation.action);
      result.set("x-kubernetes-group-version-kind", operation.kind);
    }
    if (schemas_.v3()) {
      if (!operation.body.empty()) {
        const Value schema = schemas_.reference(operation.body);
        Value body = Value::object({{"content", contents(operation.consumes, schema)}});
        if (operation.body_required) body.set("required", true);
        result.set("requestBody", std::move(body));
      }
    } else {
      result.set("schemes", Value::array({"https"}));
      if (!operation.consumes.empty()) result.set("consumes", texts(operation.consumes));
      result.set("produces", texts(operation.produces));
      if (!operation.body.empty()) own.emplace(Key("body", "body"), body_parameter(operation));
    }
    if (!own.empty()) result.set("parameters", list_of(std::move(own)));
    return result;
  }

  using ResponseKey = std::tuple<std::string, std::vector<int>, std::string>;

  SchemaWriter& schemas_;
  Value paths_ = Value::object();
  Value shared_ = Value::object();
  std::map<std::pair<std::string_view, std::string_view>, Value> parameters_;
  std::map<ResponseKey, Value> responses_;
};

Value security() {
  return Value::object(
      {{"BearerToken",
        Value::object({{"type", "apiKey"}, {"name", "authorization"}, {"in", "header"}})}});
}

Value information(bool custom) {
  return Value::object({{"title", custom ? "Kubernetes CRD Swagger" : "Kubernetes"},
                        {"version", custom ? "v0.1.0" : "1.36"}});
}

Value document_v3(const std::vector<Path>& paths, SchemaWriter& schemas, bool custom) {
  PathWriter writer(schemas);
  for (const Path& path : paths) writer.write(path);
  Value components = Value::object();
  if (!custom) components.set("securitySchemes", security());
  if (Value all = schemas.schemas(); !all.empty()) components.set("schemas", std::move(all));
  return Value::object({{"openapi", "3.0.0"},
                        {"info", information(custom)},
                        {"paths", writer.take_paths()},
                        {"components", std::move(components)}});
}

bool is_built_in(const DiscoveredVersion& version) {
  return std::any_of(version.resources.begin(), version.resources.end(),
                     [](const auto& one) { return !one->custom; });
}

bool is_built_in(const DiscoveredGroup& group) {
  return std::any_of(group.versions.begin(), group.versions.end(),
                     [](const DiscoveredVersion& version) { return is_built_in(version); });
}

// A path's document has its name: "apis/apps" of "/apis/apps/".
std::string document_name(const Path& path) {
  return path.path.substr(1, path.path.size() - 2);
}

std::string document_name(const DiscoveredGroup& group, const DiscoveredVersion& version) {
  return document_name(resources_path(group.name, version.version));
}

std::vector<Path> plain_paths(const OpenapiSource& source) {
  std::vector<Path> paths = general_paths();
  for (const DiscoveredGroup& group : source.groups)
    if (!group.name.empty() && is_built_in(group)) paths.push_back(group_path(group.name));
  return paths;
}

void append_version(const DiscoveredGroup& group, const DiscoveredVersion& version,
                    SchemaWriter& schemas, std::vector<Path>& paths) {
  if (is_built_in(version)) paths.push_back(resources_path(group.name, version.version));
  for (const model::ResourcePointer& resource : version.resources) {
    if (resource->custom) add_custom_schemas(schemas, *resource);
    if (!schema_names(*resource).object.empty()) append_paths(paths, *resource);
  }
}

template <class Call>
void find_version(const OpenapiSource& source, const std::string& name, const Call& call) {
  for (const DiscoveredGroup& group : source.groups)
    for (const DiscoveredVersion& version : group.versions)
      if (document_name(group, version) == name) return call(group, version);
}

}  // namespace

std::vector<std::string> openapi_v3_names(const OpenapiSource& source) {
  std::vector<std::string> names;
  for (const DiscoveredGroup& group : source.groups)
    for (const DiscoveredVersion& version : group.versions)
      names.push_back(document_name(group, version));
  for (const Path& path : plain_paths(source)) names.push_back(document_name(path));
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<model::ResourcePointer> openapi_v3_resources(const OpenapiSource& source,
                                                         const std::string& name) {
  std::vector<model::ResourcePointer> resources;
  find_version(source, name, [&](const DiscoveredGroup&, const DiscoveredVersion& version) {
    resources = version.resources;
  });
  return resources;
}

Value openapi_v3(const OpenapiSource& source, const std::string& name) {
  Value document;
  find_version(source, name, [&](const DiscoveredGroup& group, const DiscoveredVersion& version) {
    const bool custom = !is_built_in(version);
    SchemaWriter schemas(true, source.types);
    std::vector<GroupVersion> everywhere{{"", "v1"}};
    if (custom)
      everywhere = known_groups(true);
    else if (!group.name.empty())
      everywhere.emplace_back(group.name, version.version);
    schemas.set_everywhere(std::move(everywhere));
    std::vector<Path> paths;
    append_version(group, version, schemas, paths);
    document = document_v3(paths, schemas, custom);
  });
  if (!document.is_null()) return document;
  for (const Path& path : plain_paths(source)) {
    if (document_name(path) != name) continue;
    SchemaWriter schemas(true, source.types);
    return document_v3({path}, schemas, false);
  }
  return {};
}

Value openapi_v2(const OpenapiSource& source) {
  SchemaWriter schemas(false, source.types);
  schemas.set_everywhere(known_groups(false));
  std::vector<Path> paths = plain_paths(source);
  for (const DiscoveredGroup& group : source.groups)
    for (const DiscoveredVersion& version : group.versions)
      append_version(group, version, schemas, paths);
  PathWriter writer(schemas);
  for (const Path& path : paths) writer.write(path);
  return Value::object(
      {{"swagger", "2.0"},
       {"info", information(false)},
       {"paths", writer.take_paths()},
       {"definitions", schemas.schemas()},
       {"parameters", writer.take_shared()},
       {"securityDefinitions", security()},
       {"security", Value::array({Value::object({{"BearerToken", Value::array()}})})}});
}

}  // namespace keelson::api
