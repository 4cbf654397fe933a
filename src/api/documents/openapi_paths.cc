// Which parameters an operation takes follows from its action, which answers from its action and
// its kind; connections to pods, services and nodes have parameters of their own.
#include "api/documents/openapi_paths.h"

#include <algorithm>

#include "base/text.h"
#include "registry/strategy.h"

namespace keelson::api {
namespace {

constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.";
constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kYaml = "application/yaml";

constexpr std::string_view kAnything[] = {"*/*"};
constexpr std::string_view kObjects[] = {kJson, kYaml, kProtobuf};
constexpr std::string_view kWatchable[] = {kJson, kYaml, kProtobuf, "application/json;stream=watch",
                                           "application/vnd.kubernetes.protobuf;stream=watch"};
constexpr std::string_view kLog[] = {"text/plain", kJson, kYaml, kProtobuf};
constexpr std::string_view kPatches[] = {
    "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json", "application/apply-patch+yaml"};
constexpr std::string_view kCustomObjects[] = {kJson, kYaml};
constexpr std::string_view kCustomPatches[] = {
    "application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"};

constexpr Parameter kName{"name", "string", "", true};
constexpr Parameter kNamespace{"namespace", "string", "vgWSWtn3", true};
constexpr Parameter kPath{"path", "string", "z6Ciiujn", true};
constexpr Parameter kPretty{"pretty", "string", "tJGM1-ng"};
constexpr Parameter kDryRun{"dryRun", "string", ""};
constexpr Parameter kFieldManager{"fieldManager", "string", "Qy4HdaTW"};
constexpr Parameter kPatchManager{"fieldManager", "string", "7c6nTn1T"};
constexpr Parameter kFieldValidation{"fieldValidation", "string", ""};
constexpr Parameter kForce{"force", "boolean", "tOGGb0Yi"};
constexpr Parameter kAllowWatchBookmarks{"allowWatchBookmarks", "boolean", "HC2hJt-J"};
constexpr Parameter kContinue{"continue", "string", "QfD61s0i"};
constexpr Parameter kFieldSelector{"fieldSelector", "string", "xIcQKXFG"};
constexpr Parameter kLabelSelector{"labelSelector", "string", "5Zw57w4C"};
constexpr Parameter kLimit{"limit", "integer", "1NfNmdNH"};
constexpr Parameter kResourceVersion{"resourceVersion", "string", "5WAnf1kx"};
constexpr Parameter kResourceVersionMatch{"resourceVersionMatch", "string", "t8XhRHeC"};
constexpr Parameter kSendInitialEvents{"sendInitialEvents", "boolean", "rLXlEK_k"};
constexpr Parameter kShardSelector{"shardSelector", "string", "Kgyki_3_"};
constexpr Parameter kTimeoutSeconds{"timeoutSeconds", "integer", "yvYezaOC"};
constexpr Parameter kWatch{"watch", "boolean", "XNNPZGbK"};
constexpr Parameter kGracePeriodSeconds{"gracePeriodSeconds", "integer", "-K5HaBOS"};
constexpr Parameter kIgnoreReadError{"ignoreStoreReadErrorWithClusterBreakingPotential", "boolean",
                                     "QbNkfIqj"};
constexpr Parameter kOrphanDependents{"orphanDependents", "boolean", "uRB25kX5"};
constexpr Parameter kPropagationPolicy{"propagationPolicy", "string", "6jk3prlO"};

using ParameterList = std::vector<const Parameter*>;

const ParameterList& list_parameters() {
  static const ParameterList list = {&kAllowWatchBookmarks,
                                     &kContinue,
                                     &kFieldSelector,
                                     &kLabelSelector,
                                     &kLimit,
                                     &kResourceVersion,
                                     &kResourceVersionMatch,
                                     &kSendInitialEvents,
                                     &kShardSelector,
                                     &kTimeoutSeconds,
                                     &kWatch};
  return list;
}
const ParameterList& delete_parameters() {
  static const ParameterList list = {&kDryRun, &kGracePeriodSeconds, &kIgnoreReadError,
                                     &kOrphanDependents, &kPropagationPolicy};
  return list;
}

// The options of a connection, which are parameters on the wire.
struct Connection {
  std::string_view kind;
  std::vector<Parameter> parameters;
};
const std::vector<Connection>& connections() {
  static const std::vector<Connection> all = {
      {"NodeProxyOptions", {{"path", "string", "rFDtV0x9"}}},
      {"PodAttachOptions",
       {{"container", "string", "_Q-EJ3nR"},
        {"stderr", "boolean", "26jJhFUR"},
        {"stdin", "boolean", "sEFnN3IS"},
        {"stdout", "boolean", "005YMKE6"},
        {"tty", "boolean", "g7MlET_l"}}},
      {"PodExecOptions",
       {{"command", "string", "Py3eQybp"},
        {"container", "string", "i5dOmRiM"},
        {"stderr", "boolean", "W_1TNlWc"},
        {"stdin", "boolean", "PSzNhyUC"},
        {"stdout", "boolean", "-EZLRwV1"},
        {"tty", "boolean", "s0flW37O"}}},
      {"PodPortForwardOptions", {{"ports", "integer", "91KROJmm"}}},
      {"PodProxyOptions", {{"path", "string", "oPbzgLUj"}}},
      {"ServiceProxyOptions", {{"path", "string", "QCf0eosM"}}},
  };
  return all;
}
const std::vector<Parameter>& log_parameters() {
  static const std::vector<Parameter> all = {
      {"container", "string", "1GeXxFDC"},
      {"follow", "boolean", "9OIXh_2R"},
      {"insecureSkipTLSVerifyBackend", "boolean", "gM00jVbe"},
      {"limitBytes", "integer", "zwd1RXuc"},
      {"previous", "boolean", "1jxDPu3y"},
      {"sinceSeconds", "integer", "vE2NLdnP"},
      {"stream", "string", "l-48cgXv"},
      {"tailLines", "integer", "9xQLWHMV"},
      {"timestamps", "boolean", "c17fW1w_"}};
  return all;
}

std::string meta(std::string_view name) {
  return std::string(kMeta) + std::string(name);
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// "rbacAuthorization" of "rbac.authorization", "WellKnown" of ".well-known".
std::string identifier(std::string_view text, bool capital) {
  std::string word;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool digit = c >= '0' && c <= '9';
    if (!is_letter(c) && !(i != 0 && digit)) {
      capital = true;
      continue;
    }
    word += capital && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    capital = false;
  }
  return word;
}

std::string_view group_word(std::string_view group) {
  if (group.empty()) return "core";
  constexpr std::string_view kOurs = ".k8s.io";
  return group.ends_with(kOurs) ? group.substr(0, group.size() - kOurs.size()) : group;
}

// Names an operation and its tag by its path: the verb, group and version, and the rest.
void name_operation(Operation& operation, std::string_view path, std::string_view verb,
                    std::string_view rest) {
  operation.id = verb;
  std::vector<std::string> parts = split(path.substr(1), '/');
  std::erase(parts, "");
  if (parts[0] == "api") {
    parts[0] = "core";
    parts.insert(parts.begin(), "apis");
  }
  if (parts.size() >= 2 && parts[0] == "apis") {
    operation.id += identifier(group_word(parts[1]), true);
    operation.tag = identifier(group_word(parts[1]), false);
    if (parts.size() > 2) {
      operation.id += identifier(parts[2], true);
      operation.tag += '_' + identifier(parts[2], false);
    }
  } else {
    operation.tag = identifier(parts[0], false);
  }
  operation.id += identifier(rest, true);
}

Value kind_mark(std::string_view group, std::string_view version, std::string_view kind) {
  return Value::object({{"group", group}, {"version", version}, {"kind", kind}});
}

class ResourcePaths {
 public:
  ResourcePaths(std::vector<Path>& paths, const model::Resource& resource)
      : paths_(paths),
        resource_(resource),
        names_(schema_names(resource)),
        mark_(kind_mark(resource.group, resource.version, resource.kind)),
        objects_(resource.custom ? MediaTypes(kCustomObjects) : MediaTypes(kObjects)),
        root_(resource.group.empty() ? "/api/" + resource.version
                                     : "/apis/" + resource.group + "/" + resource.version) {}

  void write() {
    const std::string scope = resource_.namespaced ? "namespaces/{namespace}/" : "";
    const std::string collection = root_ + "/" + scope + resource_.plural;
    const std::string named = collection + "/{name}";
    if (resource_.namespaced && resource_.has_verb("list")) {
      begin(root_ + "/" + resource_.plural, {});
      list("ForAllNamespaces");
    }
    begin(collection, {});
    if (resource_.has_verb("list")) list("");
    if (resource_.has_verb("create")) write_body("post", "create", "");
    if (resource_.has_verb("deletecollection")) delete_all();
    std::vector<std::string> verbs = resource_.verbs;
    std::erase(verbs, "create");
    begin(named, {});
    item(verbs, "");
    for (const model::Subresource& subresource : resource_.subresources)
      write_subresource(named + "/" + subresource.name, subresource);
    if (!resource_.has_verb("watch") || resource_.custom) return;
    const std::string watched = root_ + "/watch/" + scope + resource_.plural;
    if (resource_.namespaced)
      watch(root_ + "/watch/" + resource_.plural, "watchlist", "ListForAllNamespaces");
    watch(watched, "watchlist", "List");
    watch(watched + "/{name}", "watch", "");
  }

 private:
  // What follows is about this path. `own`: parameters of all its operations.
  void begin(std::string path, ParameterList own) {
    if (!paths_.empty() && paths_.back().operations.empty()) paths_.pop_back();
    own_ = std::move(own);
    in_namespace_ = path.find("/{namespace}/") != std::string::npos;
    if (path.find("/{name}") != std::string::npos) own_.push_back(&kName);
    if (in_namespace_) own_.push_back(&kNamespace);
    paths_.push_back({std::move(path), {}});
    body_ = answer_ = names_.object;
    kind_ = mark_;
  }

  Operation& add(std::string_view method, std::string_view action, std::string_view verb,
                 const std::string& rest) {
    Path& path = paths_.back();
    Operation& operation = path.operations.emplace_back();
    operation.method = method;
    operation.action = action;
    operation.kind = kind_;
    operation.consumes = resource_.custom ? MediaTypes(kCustomObjects) : MediaTypes(kAnything);
    operation.produces = objects_;
    operation.parameters = own_;
    if (action != "connect") operation.parameters.push_back(&kPretty);
    name_operation(operation, path.path, verb, rest);
    return operation;
  }

  std::string noun(std::string_view suffix) const {
    return (in_namespace_ ? "Namespaced" : "") + resource_.kind + std::string(suffix);
  }

  static void take(Operation& operation, const ParameterList& parameters) {
    operation.parameters.insert(operation.parameters.end(), parameters.begin(), parameters.end());
  }

  void list(std::string_view suffix) {
    Operation& one = add("get", "list", "list", noun(suffix));
    take(one, list_parameters());
    if (!resource_.custom) one.produces = kWatchable;
    one.answer = names_.list;
  }

  void watch(const std::string& path, std::string_view action, std::string_view suffix) {
    begin(path, {});
    Operation& one = add("get", action, "watch", noun(suffix));
    take(one, list_parameters());
    one.produces = kWatchable;
    one.answer = meta("WatchEvent");
  }

  void write_body(std::string_view action, std::string_view verb, std::string_view suffix) {
    Operation& one = add(action, action, verb, noun(suffix));
    take(one, {&kDryRun, &kFieldManager, &kFieldValidation});
    one.body = body_;
    one.answer = answer_;
    one.codes = {200, 201};
    if (action == "post") one.codes.push_back(202);
  }

  void patch(std::string_view suffix) {
    Operation& one = add("patch", "patch", "patch", noun(suffix));
    take(one, {&kDryRun, &kPatchManager, &kFieldValidation, &kForce});
    one.consumes = resource_.custom ? MediaTypes(kCustomPatches) : MediaTypes(kPatches);
    one.body = meta("Patch");
    one.answer = answer_;
    if (!resource_.custom) one.codes = {200, 201};
  }

  void delete_one() {
    Operation& one = add("delete", "delete", "delete", noun(""));
    take(one, delete_parameters());
    one.body = meta("DeleteOptions");
    one.body_required = false;
    // Some kinds answer with the object.
    const bool echo = !resource_.custom && resource_.name() != "namespaces" &&
                      registry::strategy_of(resource_.name()).echo;
    one.answer = echo ? names_.object : meta("Status");
    one.codes = {200, 202};
  }

  void delete_all() {
    Operation& one = add("delete", "deletecollection", "delete", "collection" + noun(""));
    one.answer = meta("Status");
    take(one, list_parameters());
    if (resource_.custom) return;
    std::erase(one.parameters, &kAllowWatchBookmarks);
    std::erase(one.parameters, &kWatch);
    take(one, delete_parameters());
    one.body = meta("DeleteOptions");
    one.body_required = false;
  }

  void item(const std::vector<std::string>& verbs, std::string_view suffix) {
    const auto has = [&](std::string_view verb) {
      return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
    };
    if (has("get")) {
      Operation& one = add("get", "get", "read", noun(suffix));
      if (resource_.custom) one.parameters.push_back(&kResourceVersion);
      one.answer = answer_;
    }
    if (has("update")) write_body("put", "replace", suffix);
    if (has("create")) write_body("post", "create", suffix);
    if (has("delete")) delete_one();
    if (has("patch")) patch(suffix);
  }

  void write_subresource(const std::string& path, const model::Subresource& subresource) {
    const std::string suffix = identifier(subresource.name, true);
    for (const Connection& connection : connections())
      if (connection.kind == subresource.kind) return connect(path, connection, suffix);
    begin(path, {});
    if (subresource.name == "log") {
      Operation& log = add("get", "get", "read", noun(suffix));
      log.produces = kLog;
      for (const Parameter& one : log_parameters()) log.parameters.push_back(&one);
      return;
    }
    if (subresource.kind != resource_.kind) {
      if (subresource.type == nullptr) return;
      body_ = answer_ = subresource.type->name;
      if (!resource_.custom)
        kind_ = kind_mark(subresource.group, subresource.version, subresource.kind);
    }
    item(subresource.verbs, suffix);
  }

  // Proxies take whatever HTTP has, and a path behind their own.
  void connect(const std::string& path, const Connection& connection, const std::string& suffix) {
    const bool proxy = connection.kind.ends_with("ProxyOptions");
    constexpr std::string_view methods[] = {"get",  "post",    "put",  "delete",
                                            "head", "options", "patch"};
    constexpr std::size_t streaming = 2;  // get and post
    ParameterList own;
    for (const Parameter& one : connection.parameters) own.push_back(&one);
    for (const bool with_path : {false, true}) {
      if (with_path && !proxy) break;
      begin(with_path ? path + "/{path}" : path, own);
      if (with_path) own_.push_back(&kPath);
      kind_ = kind_mark("", "v1", connection.kind);
      for (const std::string_view method :
           MediaTypes(methods).first(proxy ? std::size(methods) : streaming)) {
        Operation& one =
            add(method, "connect", "connect",
                identifier(method, true) + noun(suffix + (with_path ? "WithPath" : "")));
        one.produces = kAnything;
      }
    }
  }

  std::vector<Path>& paths_;
  const model::Resource& resource_;
  const SchemaNames names_;
  const Value mark_;
  const MediaTypes objects_;
  const std::string root_;
  // Of the path that is being written.
  ParameterList own_;
  bool in_namespace_ = false;
  std::string body_, answer_;
  Value kind_;
};

// "com.example.v1.Widget" of the group "example.com".
std::string custom_name(const model::Resource& resource, std::string_view kind) {
  std::vector<std::string> parts = split(resource.group, '.');
  std::reverse(parts.begin(), parts.end());
  return join(parts, ".") + "." + resource.version + "." + std::string(kind);
}

}  // namespace

SchemaNames schema_names(const model::Resource& resource) {
  SchemaNames names;
  if (resource.custom)
    names.object = custom_name(resource, resource.kind);
  else if (resource.type != nullptr)
    names.object = resource.type->name;
  if (names.object.empty() || !resource.has_verb("list")) return names;
  names.list = names.object.substr(0, names.object.rfind('.') + 1) + resource.list_kind();
  return names;
}

void append_paths(std::vector<Path>& paths, const model::Resource& resource) {
  ResourcePaths(paths, resource).write();
  if (!paths.empty() && paths.back().operations.empty()) paths.pop_back();
}

Path plain_path(std::string_view path, std::string_view operation, std::string_view answer,
                MediaTypes consumes, MediaTypes produces) {
  Operation get;
  get.method = "get";
  get.consumes = consumes;
  get.produces = produces;
  get.answer = answer;
  name_operation(get, path, "get", operation);
  Path result{std::string(path), {}};
  result.operations.push_back(std::move(get));
  return result;
}

Path resources_path(std::string_view group, std::string_view version) {
  const std::string root = group.empty() ? "/api/" : "/apis/" + std::string(group) + "/";
  return plain_path(root + std::string(version) + "/", "APIResources", meta("APIResourceList"),
                    kObjects, kObjects);
}

Path group_path(std::string_view group) {
  return plain_path("/apis/" + std::string(group) + "/", "APIGroup", meta("APIGroup"), kObjects,
                    kObjects);
}

std::vector<Path> general_paths() {
  static constexpr std::string_view json[] = {kJson};
  static constexpr std::string_view keys[] = {"application/jwk-set+json"};
  return {
      plain_path("/.well-known/openid-configuration/", "ServiceAccountIssuerOpenIDConfiguration",
                 "", {}, json),
      plain_path("/api/", "APIVersions", meta("APIVersions"), kObjects, kObjects),
      plain_path("/apis/", "APIVersions", meta("APIGroupList"), kObjects, kObjects),
      plain_path("/openid/v1/jwks/", "ServiceAccountIssuerOpenIDKeyset", "", {}, keys),
      plain_path("/version/", "CodeVersion", "io.k8s.apimachinery.pkg.version.Info", json, json)};
}

}  // namespace keelson::api
