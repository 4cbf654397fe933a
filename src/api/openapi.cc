// Paths carry what clients look for in them: which kind an operation is about, which patches it
// takes, and its parameters (kubectl reads dryRun and fieldValidation there).
#include "api/openapi.h"

#include <algorithm>
#include <map>
#include <optional>

#include "api/openapi_schema.h"
#include "base/text.h"
#include "registry/strategy.h"

namespace keelson::api {
namespace {

constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.";

std::string document_name(const DiscoveredGroup& group, const DiscoveredVersion& version) {
  return group.name.empty() ? "api/" + version.version
                            : "apis/" + group.name + "/" + version.version;
}

std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

// "core", "apps", "rbacAuthorization" of rbac.authorization.k8s.io.
std::string group_word(std::string_view group) {
  if (group.empty()) return "core";
  constexpr std::string_view kOurs = ".k8s.io";
  if (!group.ends_with(kOurs)) return std::string(group.substr(0, group.find('.')));
  std::string word;
  for (const std::string& part : split(group.substr(0, group.size() - kOurs.size()), '.'))
    word += word.empty() ? part : capital(part);
  return word;
}

Value kind_mark(std::string_view group, std::string_view version, std::string_view kind) {
  return Value::object({{"group", group}, {"version", version}, {"kind", kind}});
}

// "com.example.v1.Widget" of the group "example.com".
std::string custom_name(const model::Resource& resource, std::string_view kind) {
  std::vector<std::string> parts = split(resource.group, '.');
  std::reverse(parts.begin(), parts.end());
  return join(parts, ".") + "." + resource.version + "." + std::string(kind);
}

const codec::Type& meta_type(const model::TypeTable& types, std::string_view name) {
  static const codec::Type none{};
  const codec::Type* type = types.type(std::string(kMeta) + std::string(name));
  return type != nullptr ? *type : none;
}

void mark_kind(Value& schema, const model::Resource& resource, std::string_view kind) {
  schema.set("x-kubernetes-group-version-kind",
             Value::array({kind_mark(resource.group, resource.version, kind)}));
}

// Writes the schemas of a kind and its list; gives the references to both.
struct KindSchemas {
  std::string object, list;
};
KindSchemas write_kind(SchemaWriter& writer, const model::TypeTable& types,
                       const model::Resource& resource, bool v3) {
  KindSchemas names;
  if (resource.custom) {
    names.object = custom_name(resource, resource.kind);
    Value schema =
        resource.schema.is_object() ? resource.schema : Value::object({{"type", "object"}});
    Value& properties = schema.edit("properties");
    properties.set("apiVersion", Value::object({{"type", "string"}}));
    properties.set("kind", Value::object({{"type", "string"}}));
    const Value metadata = writer.reference(meta_type(types, "ObjectMeta"));
    properties.set("metadata",
                   v3 ? Value::object({{"allOf", Value::array({metadata})}}) : metadata);
    mark_kind(schema, resource, resource.kind);
    writer.add(names.object, std::move(schema));
  } else if (resource.type != nullptr) {
    names.object = resource.type->name;
    writer.reference(*resource.type);
    if (Value* schema = writer.find(names.object)) mark_kind(*schema, resource, resource.kind);
  } else {
    return names;
  }
  if (!resource.has_verb("list")) return names;
  const std::string list_kind = resource.list_kind();
  names.list = resource.custom ? custom_name(resource, list_kind)
                               : names.object.substr(0, names.object.rfind('.') + 1) + list_kind;
  if (writer.has(names.list)) return names;
  Value item = writer.reference_to(names.object);
  if (v3) item = Value::object({{"allOf", Value::array({item})}, {"default", Value::object()}});
  Value metadata = writer.reference(meta_type(types, "ListMeta"));
  if (v3)
    metadata = Value::object({{"allOf", Value::array({metadata})}, {"default", Value::object()}});
  Value list = Value::object(
      {{"type", "object"},
       {"required", Value::array({"items"})},
       {"properties",
        Value::object({{"apiVersion", Value::object({{"type", "string"}})},
                       {"kind", Value::object({{"type", "string"}})},
                       {"metadata", metadata},
                       {"items", Value::object({{"type", "array"}, {"items", item}})}})}});
  mark_kind(list, resource, list_kind);
  writer.add(names.list, std::move(list));
  return names;
}

// ---- paths of version 3 ----

Value parameter(std::string_view name, std::string_view type, bool in_path = false) {
  Value schema = Value::object({{"type", type}, {"uniqueItems", true}});
  Value result = Value::object(
      {{"name", name}, {"in", in_path ? "path" : "query"}, {"schema", std::move(schema)}});
  if (in_path) result.set("required", true);
  return result;
}

Value parameters(std::initializer_list<std::pair<std::string_view, std::string_view>> list) {
  Value array = Value::array();
  for (const auto& [name, type] : list) array.push_back(parameter(name, type));
  return array;
}

Value contents(const SchemaWriter& writer, const std::string& schema, bool frames) {
  const Value body = Value::object({{"schema", writer.reference_to(schema)}});
  Value content = Value::object();
  for (const std::string_view type :
       {"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"})
    content.set(type, body);
  if (frames)
    for (const std::string_view type :
         {"application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"})
      content.set(type, body);
  return Value::object({{"content", content}});
}

class PathWriter {
  // Which names stand in a path.
  struct Scope {
    bool named = false, in_namespace = false;
  };

 public:
  PathWriter(SchemaWriter& writer, const model::TypeTable& types, const model::Resource& resource,
             KindSchemas names)
      : writer_(writer), types_(types), resource_(resource), names_(std::move(names)) {}

  void write(Value& paths) {
    const std::string root = resource_.group.empty()
                                 ? "/api/" + resource_.version
                                 : "/apis/" + resource_.group + "/" + resource_.version;
    const std::string in_namespace = resource_.namespaced ? "namespaces/{namespace}/" : "";
    const std::string collection = root + "/" + in_namespace + resource_.plural;
    const Scope here{.in_namespace = resource_.namespaced};
    if (resource_.namespaced && resource_.has_verb("list")) {
      Value everywhere = Value::object();
      everywhere.set("get", list_operation("ForAllNamespaces"));
      finish(paths, root + "/" + resource_.plural, std::move(everywhere), {});
    }
    Value at_collection = Value::object();
    if (resource_.has_verb("list")) at_collection.set("get", list_operation(""));
    if (resource_.has_verb("create"))
      at_collection.set("post", write_operation("post", "create", names_.object, ""));
    if (resource_.has_verb("deletecollection"))
      at_collection.set("delete", delete_operation("deletecollection"));
    finish(paths, collection, std::move(at_collection), here);
    std::vector<std::string> verbs = resource_.verbs;
    std::erase(verbs, "create");
    if (resource_.has_verb("get") || resource_.has_verb("update") || resource_.has_verb("delete"))
      item(paths, collection + "/{name}", names_.object, "", verbs);
    for (const model::Subresource& subresource : resource_.subresources)
      write_subresource(paths, collection + "/{name}/" + subresource.name, subresource);
    if (!resource_.has_verb("watch") || resource_.custom) return;
    if (resource_.namespaced)
      watch_path(paths, root + "/watch/" + resource_.plural, "watchlist",
                 operation_id("watch", "ListForAllNamespaces"), {});
    const std::string watched = root + "/watch/" + in_namespace + resource_.plural;
    watch_path(paths, watched, "watchlist", operation_id("watch", "List"), here);
    watch_path(paths, watched + "/{name}", "watch", operation_id("watch", ""),
               {.named = true, .in_namespace = resource_.namespaced});
  }

 private:
  std::string operation_id(std::string_view verb, std::string_view suffix) const {
    const std::string group = group_word(resource_.group);
    const bool inside = resource_.namespaced && !suffix.ends_with("ForAllNamespaces");
    const bool all = verb == "deletecollection";
    return std::string(all ? "delete" : verb) + capital(group) + capital(resource_.version) +
           (all ? "Collection" : "") + (inside ? "Namespaced" : "") + resource_.kind +
           std::string(suffix);
  }

  Value operation(std::string_view action, const std::string& id) const {
    const std::string group = group_word(resource_.group);
    return Value::object({{"tags", Value::array({group + "_" + resource_.version})},
                          {"operationId", id},
                          {"x-kubernetes-action", action},
                          {"x-kubernetes-group-version-kind",
                           kind_mark(resource_.group, resource_.version, resource_.kind)}});
  }

  static Value answers(Value ok, std::initializer_list<int> more) {
    Value responses = Value::object({{"200", ok}, {"401", Value::object()}});
    for (const int code : more) responses.set(std::to_string(code), ok);
    return responses;
  }

  static Value list_parameters() {
    return parameters({{"allowWatchBookmarks", "boolean"},
                       {"continue", "string"},
                       {"fieldSelector", "string"},
                       {"labelSelector", "string"},
                       {"limit", "integer"},
                       {"resourceVersion", "string"},
                       {"resourceVersionMatch", "string"},
                       {"sendInitialEvents", "boolean"},
                       {"shardSelector", "string"},
                       {"timeoutSeconds", "integer"},
                       {"watch", "boolean"}});
  }

  Value list_operation(const std::string& suffix) const {
    Value result = operation("list", operation_id("list", suffix));
    result.set("parameters", list_parameters());
    result.set("responses", answers(contents(writer_, names_.list, true), {}));
    return result;
  }

  // The deprecated paths below /watch/.
  void watch_path(Value& paths, const std::string& path, std::string_view action,
                  const std::string& id, const Scope& scope) const {
    Value watch = operation(action, id);
    watch.set("parameters", list_parameters());
    writer_.reference(meta_type(types_, "WatchEvent"));
    watch.set("responses", answers(contents(writer_, std::string(kMeta) + "WatchEvent", true), {}));
    Value at = Value::object();
    at.set("get", std::move(watch));
    finish(paths, path, std::move(at), scope);
  }

  Value write_operation(std::string_view action, std::string_view verb, const std::string& schema,
                        const std::string& suffix) const {
    Value result = operation(action, operation_id(verb, suffix));
    result.set("parameters", parameters({{"dryRun", "string"},
                                         {"fieldManager", "string"},
                                         {"fieldValidation", "string"}}));
    Value content = Value::object();
    content.set("*/*", Value::object({{"schema", writer_.reference_to(schema)}}));
    result.set("requestBody", Value::object({{"content", content}, {"required", true}}));
    const Value ok = contents(writer_, schema, false);
    result.set("responses", action == "post" ? answers(ok, {201, 202}) : answers(ok, {201}));
    return result;
  }

  Value patch_operation(const std::string& schema, const std::string& suffix) const {
    Value result = operation("patch", operation_id("patch", suffix));
    result.set("parameters", parameters({{"dryRun", "string"},
                                         {"fieldManager", "string"},
                                         {"fieldValidation", "string"},
                                         {"force", "boolean"}}));
    const Value body = Value::object({{"schema", writer_.reference(meta_type(types_, "Patch"))}});
    Value content = Value::object();
    for (const std::string_view type :
         {"application/json-patch+json", "application/merge-patch+json",
          "application/strategic-merge-patch+json", "application/apply-patch+yaml"})
      if (!resource_.custom || type != "application/strategic-merge-patch+json")
        content.set(type, body);
    result.set("requestBody", Value::object({{"content", content}, {"required", true}}));
    result.set("responses", answers(contents(writer_, schema, false), {201}));
    return result;
  }

  Value delete_operation(std::string_view action) const {
    const bool all = action == "deletecollection";
    Value result = operation(action, operation_id(action, ""));
    constexpr std::string_view kUnreadable = "ignoreStoreReadErrorWithClusterBreakingPotential";
    result.set("parameters", all ? parameters({{"continue", "string"},
                                               {"dryRun", "string"},
                                               {"fieldSelector", "string"},
                                               {"gracePeriodSeconds", "integer"},
                                               {kUnreadable, "boolean"},
                                               {"labelSelector", "string"},
                                               {"limit", "integer"},
                                               {"orphanDependents", "boolean"},
                                               {"propagationPolicy", "string"},
                                               {"resourceVersion", "string"},
                                               {"resourceVersionMatch", "string"},
                                               {"sendInitialEvents", "boolean"},
                                               {"shardSelector", "string"},
                                               {"timeoutSeconds", "integer"}})
                                 : parameters({{"dryRun", "string"},
                                               {"gracePeriodSeconds", "integer"},
                                               {kUnreadable, "boolean"},
                                               {"orphanDependents", "boolean"},
                                               {"propagationPolicy", "string"}}));
    const Value body =
        Value::object({{"schema", writer_.reference(meta_type(types_, "DeleteOptions"))}});
    Value content = Value::object();
    content.set("*/*", body);
    result.set("requestBody", Value::object({{"content", content}}));
    // Some kinds answer a DELETE with the object.
    const bool echo = !all && !resource_.custom && resource_.name() != "namespaces" &&
                      registry::strategy_of(resource_.name()).echo;
    if (!echo) writer_.reference(meta_type(types_, "Status"));
    const Value ok = contents(writer_, echo ? names_.object : std::string(kMeta) + "Status", false);
    result.set("responses", all ? answers(ok, {}) : answers(ok, {202}));
    return result;
  }

  void item(Value& paths, const std::string& path, const std::string& schema,
            const std::string& suffix, const std::vector<std::string>& verbs) {
    const auto has = [&](std::string_view verb) {
      return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
    };
    Value at_item = Value::object();
    if (has("get")) {
      Value read = operation("get", operation_id("read", suffix));
      read.set("responses", answers(contents(writer_, schema, false), {}));
      at_item.set("get", std::move(read));
    }
    if (has("create")) at_item.set("post", write_operation("post", "create", schema, suffix));
    if (has("update")) at_item.set("put", write_operation("put", "replace", schema, suffix));
    if (has("patch")) at_item.set("patch", patch_operation(schema, suffix));
    if (has("delete")) at_item.set("delete", delete_operation("delete"));
    finish(paths, path, std::move(at_item), {.named = true, .in_namespace = resource_.namespaced});
  }

  void write_subresource(Value& paths, const std::string& path,
                         const model::Subresource& subresource) {
    const bool same = subresource.kind == resource_.kind;
    std::string schema = names_.object;
    if (!same) {
      if (subresource.type == nullptr || subresource.type->name.empty()) return;
      schema = subresource.type->name;
      writer_.reference(*subresource.type);
      if (Value* written = writer_.find(schema);
          written != nullptr && !written->has("x-kubernetes-group-version-kind")) {
        written->set(
            "x-kubernetes-group-version-kind",
            Value::array({kind_mark(subresource.group, subresource.version, subresource.kind)}));
      }
    }
    std::string suffix = subresource.name;
    suffix[0] = static_cast<char>(suffix[0] - 'a' + 'A');
    item(paths, path, schema, suffix, subresource.verbs);
    if (same) return;
    for (const std::string_view method : {"get", "post", "put", "patch"})
      if (paths[path].has(method))
        paths.edit(path).edit(method).set(
            "x-kubernetes-group-version-kind",
            kind_mark(subresource.group, subresource.version, subresource.kind));
  }

  // What all operations of a path take is said of the path.
  static void finish(Value& paths, const std::string& path, Value at, const Scope& scope) {
    if (at.empty()) return;
    std::map<std::string, std::size_t> uses;
    for (const codec::Member& operation : at.members())
      for (const Value& one : operation.value["parameters"].elements()) ++uses[one["name"].str()];
    const std::size_t operations = at.size();
    std::map<std::string, Value> shared;
    if (scope.named) shared.emplace("name", parameter("name", "string", true));
    if (scope.in_namespace) shared.emplace("namespace", parameter("namespace", "string", true));
    shared.emplace("pretty", parameter("pretty", "string"));
    std::vector<std::string> methods;
    for (const codec::Member& operation : at.members()) methods.emplace_back(operation.key());
    for (const std::string& method : methods) {
      Value own = Value::array();
      for (const Value& one : at[method]["parameters"].elements()) {
        if (uses[one["name"].str()] == operations)
          shared.emplace(one["name"].str(), one);
        else
          own.push_back(one);
      }
      if (own.empty())
        at.edit(method).erase("parameters");
      else
        at.edit(method).set("parameters", std::move(own));
    }
    Value list = Value::array();
    for (auto& [name, one] : shared) list.push_back(std::move(one));
    at.set("parameters", std::move(list));
    paths.set(path, std::move(at));
  }

  SchemaWriter& writer_;
  const model::TypeTable& types_;
  const model::Resource& resource_;
  KindSchemas names_;
};

// Types of the API's machinery say in which groups they are kinds, if the document has them.
void mark_machinery(SchemaWriter& writer, std::string_view group, std::string_view version) {
  for (const std::string_view name : {"APIResourceList", "Status", "DeleteOptions", "WatchEvent"}) {
    Value* schema = writer.find(std::string(kMeta) + std::string(name));
    if (schema == nullptr) continue;
    Value marks = Value::array({kind_mark("", "v1", name)});
    const bool everywhere = name == "DeleteOptions" || name == "WatchEvent";
    if (everywhere && !group.empty()) marks.push_back(kind_mark(group, version, name));
    schema->set("x-kubernetes-group-version-kind", std::move(marks));
  }
}

// Kinds that stand within others are marked as kinds there too.
void mark_kinds(SchemaWriter& writer, const model::TypeTable& types) {
  for (const model::ResourcePointer& resource : types.all()) {
    if (resource->custom || resource->type == nullptr) continue;
    Value* schema = writer.find(resource->type->name);
    if (schema != nullptr && !schema->has("x-kubernetes-group-version-kind"))
      mark_kind(*schema, *resource, resource->kind);
  }
}

Value security() {
  return Value::object(
      {{"BearerToken",
        Value::object({{"type", "apiKey"}, {"name", "authorization"}, {"in", "header"}})}});
}

// ---- documents of what is no resource ----

struct PlainPath {
  std::string path, tag, id, schema, media_type;
};

// The group's or version's own place in discovery, or nothing of that name.
std::optional<PlainPath> plain_path(const OpenapiSource& source, const std::string& name) {
  if (name == "api") return PlainPath{"/api/", "core", "getCoreAPIVersions", "APIVersions", ""};
  if (name == "apis") return PlainPath{"/apis/", "apis", "getAPIVersions", "APIGroupList", ""};
  if (name == ".well-known/openid-configuration")
    return PlainPath{"/" + name + "/", "WellKnown", "getServiceAccountIssuerOpenIDConfiguration",
                     "", "application/json"};
  if (name == "openid/v1/jwks")
    return PlainPath{"/" + name + "/", "openid", "getServiceAccountIssuerOpenIDKeyset", "",
                     "application/jwk-set+json"};
  if (name == "version")
    return PlainPath{"/version/", "version", "getCodeVersion", "Info", "application/json"};
  for (const DiscoveredGroup& group : source.groups)
    if (name == "apis/" + group.name)
      return PlainPath{"/" + name + "/", group_word(group.name),
                       "get" + capital(group_word(group.name)) + "APIGroup", "APIGroup", ""};
  return std::nullopt;
}

// /version's own type is no type of the API.
Value version_schema() {
  Value properties = Value::object(), required = Value::array();
  for (const std::string_view name : {"major", "minor", "gitVersion", "gitCommit", "gitTreeState",
                                      "buildDate", "goVersion", "compiler", "platform"}) {
    properties.set(name, Value::object({{"type", "string"}, {"default", ""}}));
    required.push_back(name);
  }
  for (const std::string_view name :
       {"emulationMajor", "emulationMinor", "minCompatibilityMajor", "minCompatibilityMinor"})
    properties.set(name, Value::object({{"type", "string"}}));
  return Value::object({{"type", "object"}, {"required", required}, {"properties", properties}});
}

Value plain_get(const SchemaWriter& writer, const PlainPath& what, const std::string& schema) {
  Value ok = schema.empty() ? Value() : contents(writer, schema, false);
  if (!what.media_type.empty()) {
    const Value body =
        schema.empty() ? Value::object({{"type", "string"}}) : writer.reference_to(schema);
    Value content = Value::object();
    content.set(what.media_type, Value::object({{"schema", body}}));
    ok = Value::object({{"content", content}});
  }
  return Value::object(
      {{"get",
        Value::object({{"tags", Value::array({what.tag})},
                       {"operationId", what.id},
                       {"responses", Value::object({{"200", ok}, {"401", Value::object()}})}})}});
}

Value document_of(Value paths, const SchemaWriter& writer) {
  Value components = Value::object({{"securitySchemes", security()}});
  if (Value schemas = writer.schemas(); !schemas.empty()) components.set("schemas", schemas);
  return Value::object({{"openapi", "3.0.0"},
                        {"info", Value::object({{"title", "Kubernetes"}, {"version", "1.36"}})},
                        {"paths", std::move(paths)},
                        {"components", std::move(components)}});
}

Value plain_document(const OpenapiSource& source, const PlainPath& what) {
  SchemaWriter writer(true);
  std::string schema;
  if (what.schema == "Info") {
    schema = "io.k8s.apimachinery.pkg.version.Info";
    writer.add(schema, version_schema());
  } else if (!what.schema.empty()) {
    const codec::Type& type = meta_type(source.types, what.schema);
    schema = type.name;
    writer.reference(type);
    for (const std::string_view kind : {"APIGroup", "APIGroupList", "APIVersions"})
      if (Value* one = writer.find(std::string(kMeta) + std::string(kind)))
        one->set("x-kubernetes-group-version-kind", Value::array({kind_mark("", "v1", kind)}));
  }
  Value paths = Value::object();
  paths.set(what.path, plain_get(writer, what, schema));
  return document_of(std::move(paths), writer);
}

bool is_built_in(const DiscoveredVersion& version) {
  return std::any_of(version.resources.begin(), version.resources.end(),
                     [](const auto& one) { return !one->custom; });
}

}  // namespace

std::vector<std::string> openapi_v3_names(const OpenapiSource& source) {
  std::vector<std::string> names;
  for (const DiscoveredGroup& group : source.groups)
    for (const DiscoveredVersion& version : group.versions)
      names.push_back(document_name(group, version));
  for (const DiscoveredGroup& group : source.groups)
    if (!group.name.empty() &&
        std::any_of(group.versions.begin(), group.versions.end(), is_built_in))
      names.push_back("apis/" + group.name);
  for (const std::string_view name :
       {".well-known/openid-configuration", "api", "apis", "openid/v1/jwks", "version"})
    names.emplace_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

Value openapi_v3(const OpenapiSource& source, const std::string& name) {
  for (const DiscoveredGroup& group : source.groups) {
    for (const DiscoveredVersion& version : group.versions) {
      if (document_name(group, version) != name) continue;
      SchemaWriter writer(true);
      Value paths = Value::object();
      if (is_built_in(version)) {
        const std::string word = group_word(group.name);
        const PlainPath list{"/" + name + "/", word + "_" + version.version,
                             "get" + capital(word) + capital(version.version) + "APIResources", "",
                             ""};
        paths.set(list.path,
                  plain_get(writer, list, meta_type(source.types, "APIResourceList").name));
      }
      if (is_built_in(version)) writer.reference(meta_type(source.types, "APIResourceList"));
      for (const model::ResourcePointer& resource : version.resources) {
        KindSchemas names = write_kind(writer, source.types, *resource, true);
        if (!names.object.empty())
          PathWriter(writer, source.types, *resource, std::move(names)).write(paths);
      }
      mark_machinery(writer, group.name, version.version);
      mark_kinds(writer, source.types);
      return document_of(std::move(paths), writer);
    }
  }
  if (const auto plain = plain_path(source, name)) return plain_document(source, *plain);
  return {};
}

Value openapi_v2(const OpenapiSource& source) {
  SchemaWriter writer(false);
  for (const std::string_view name : {"APIResourceList", "Status", "DeleteOptions", "WatchEvent"})
    writer.reference(meta_type(source.types, name));
  mark_machinery(writer, "", "v1");
  for (const DiscoveredGroup& group : source.groups)
    for (const DiscoveredVersion& version : group.versions)
      for (const model::ResourcePointer& resource : version.resources)
        write_kind(writer, source.types, *resource, false);
  return Value::object(
      {{"swagger", "2.0"},
       {"info", Value::object({{"title", "Kubernetes"}, {"version", "1.36"}})},
       {"paths", Value::object()},
       {"definitions", writer.schemas()},
       {"securityDefinitions", security()},
       {"security", Value::array({Value::object({{"BearerToken", Value::array()}})})}});
}

}  // namespace keelson::api
