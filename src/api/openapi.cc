// Paths carry what clients look for in them: which kind an operation is about, which patches it
// takes, and its parameters (kubectl reads dryRun and fieldValidation there).
#include "api/openapi.h"

#include <algorithm>

#include "api/openapi_schema.h"
#include "base/text.h"

namespace keelson::api {
namespace {

constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.";

std::string document_name(const DiscoveredGroup& group, const DiscoveredVersion& version) {
  return group.name.empty() ? "api/" + version.version
                            : "apis/" + group.name + "/" + version.version;
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
 public:
  PathWriter(SchemaWriter& writer, const model::TypeTable& types, const model::Resource& resource,
             KindSchemas names)
      : writer_(writer), types_(types), resource_(resource), names_(std::move(names)) {}

  void write(Value& paths) {
    const std::string root = resource_.group.empty()
                                 ? "/api/" + resource_.version
                                 : "/apis/" + resource_.group + "/" + resource_.version;
    const std::string scope = resource_.namespaced ? "/namespaces/{namespace}/" : "/";
    const std::string collection = root + scope + resource_.plural;
    if (resource_.namespaced && resource_.has_verb("list")) {
      Value everywhere = Value::object();
      everywhere.set("get", list_operation("ForAllNamespaces"));
      paths.set(root + "/" + resource_.plural, std::move(everywhere));
    }
    Value at_collection = Value::object();
    if (resource_.has_verb("list")) at_collection.set("get", list_operation(""));
    if (resource_.has_verb("create"))
      at_collection.set("post", write_operation("post", "create", names_.object, ""));
    if (resource_.has_verb("deletecollection"))
      at_collection.set("delete", delete_operation("deletecollection", "deleteCollection"));
    finish(paths, collection, std::move(at_collection), false);
    if (resource_.has_verb("get") || resource_.has_verb("update") || resource_.has_verb("delete"))
      item(paths, collection + "/{name}", names_.object, "", resource_.verbs);
    for (const model::Subresource& subresource : resource_.subresources)
      write_subresource(paths, collection + "/{name}/" + subresource.name, subresource);
  }

 private:
  std::string operation_id(std::string_view verb, std::string_view suffix) const {
    std::string group = resource_.group.substr(0, resource_.group.find('.'));
    if (group.empty()) group = "core";
    const auto capital = [](std::string text) {
      if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
        text[0] = static_cast<char>(text[0] - 'a' + 'A');
      return text;
    };
    std::string middle = resource_.namespaced && suffix != "ForAllNamespaces" ? "Namespaced" : "";
    return std::string(verb) + capital(group) + capital(resource_.version) + middle +
           resource_.kind + std::string(suffix);
  }

  Value operation(std::string_view action, const std::string& id) const {
    std::string group = resource_.group.substr(0, resource_.group.find('.'));
    if (group.empty()) group = "core";
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

  Value list_operation(const std::string& suffix) const {
    Value result = operation("list", operation_id("list", suffix));
    result.set("parameters", parameters({{"allowWatchBookmarks", "boolean"},
                                         {"continue", "string"},
                                         {"fieldSelector", "string"},
                                         {"labelSelector", "string"},
                                         {"limit", "integer"},
                                         {"resourceVersion", "string"},
                                         {"resourceVersionMatch", "string"},
                                         {"sendInitialEvents", "boolean"},
                                         {"timeoutSeconds", "integer"},
                                         {"watch", "boolean"}}));
    result.set("responses", answers(contents(writer_, names_.list, true), {}));
    return result;
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

  Value delete_operation(std::string_view action, std::string_view verb) const {
    Value result = operation(action, operation_id(verb, ""));
    result.set("parameters", parameters({{"dryRun", "string"},
                                         {"gracePeriodSeconds", "integer"},
                                         {"orphanDependents", "boolean"},
                                         {"propagationPolicy", "string"}}));
    const Value body =
        Value::object({{"schema", writer_.reference(meta_type(types_, "DeleteOptions"))}});
    Value content = Value::object();
    content.set("*/*", body);
    result.set("requestBody", Value::object({{"content", content}}));
    writer_.reference(meta_type(types_, "Status"));
    result.set("responses",
               answers(contents(writer_, std::string(kMeta) + "Status", false), {202}));
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
    if (has("delete")) at_item.set("delete", delete_operation("delete", "delete"));
    finish(paths, path, std::move(at_item), true);
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
  }

  void finish(Value& paths, const std::string& path, Value at, bool named) const {
    if (at.empty()) return;
    Value shared = Value::array();
    if (named) shared.push_back(parameter("name", "string", true));
    if (resource_.namespaced) shared.push_back(parameter("namespace", "string", true));
    shared.push_back(parameter("pretty", "string"));
    at.set("parameters", std::move(shared));
    paths.set(path, std::move(at));
  }

  SchemaWriter& writer_;
  const model::TypeTable& types_;
  const model::Resource& resource_;
  KindSchemas names_;
};

// Types of the API's machinery that every group's document holds; those with a kind are registered
// in every group.
void write_machinery(SchemaWriter& writer, const model::TypeTable& types, std::string_view group,
                     std::string_view version) {
  for (const std::string_view name : {"APIResourceList", "Status", "DeleteOptions", "WatchEvent"}) {
    const codec::Type& type = meta_type(types, name);
    if (type.name.empty()) continue;
    writer.reference(type);
    Value* schema = writer.find(type.name);
    Value marks = Value::array({kind_mark("", "v1", name)});
    const bool everywhere = name == "DeleteOptions" || name == "WatchEvent";
    if (everywhere && !group.empty()) marks.push_back(kind_mark(group, version, name));
    schema->set("x-kubernetes-group-version-kind", std::move(marks));
  }
}

Value security() {
  return Value::object(
      {{"BearerToken",
        Value::object({{"type", "apiKey"}, {"name", "authorization"}, {"in", "header"}})}});
}

}  // namespace

std::vector<std::string> openapi_v3_names(const OpenapiSource& source) {
  std::vector<std::string> names;
  for (const DiscoveredGroup& group : source.groups)
    for (const DiscoveredVersion& version : group.versions)
      names.push_back(document_name(group, version));
  std::sort(names.begin(), names.end());
  return names;
}

Value openapi_v3(const OpenapiSource& source, const std::string& name) {
  for (const DiscoveredGroup& group : source.groups) {
    for (const DiscoveredVersion& version : group.versions) {
      if (document_name(group, version) != name) continue;
      SchemaWriter writer(true);
      Value paths = Value::object();
      write_machinery(writer, source.types, group.name, version.version);
      for (const model::ResourcePointer& resource : version.resources) {
        KindSchemas names = write_kind(writer, source.types, *resource, true);
        if (!names.object.empty())
          PathWriter(writer, source.types, *resource, std::move(names)).write(paths);
      }
      return Value::object({{"openapi", "3.0.0"},
                            {"info", Value::object({{"title", "Kubernetes"}, {"version", "1.36"}})},
                            {"paths", paths},
                            {"components", Value::object({{"schemas", writer.schemas()},
                                                          {"securitySchemes", security()}})}});
    }
  }
  return {};
}

Value openapi_v2(const OpenapiSource& source) {
  SchemaWriter writer(false);
  write_machinery(writer, source.types, "", "v1");
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
