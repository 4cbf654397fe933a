// Requests about resources: is there such a thing, may it be done to it, what exactly is asked;
// then the registry does it.
#include <algorithm>
#include <charconv>

#include "api/answers/stall_limit.h"
#include "api/server_state.h"
#include "base/text.h"
#include "codec/yaml.h"
#include "model/meta.h"
#include "model/selector.h"
#include "registry/errors.h"

namespace keelson::api {
namespace {

using registry::Verb;

// The original ends every answer but a watch's after that time, taken or not.
constexpr Duration kStallLimit = Duration::seconds(60);
constexpr Duration kWatchMin = Duration::minutes(30);
constexpr std::size_t kManagerLengthMax = 128;

// strconv.ParseInt with its errors.
Result<std::int64_t> parse_go_int(std::string_view text) {
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const char* problem = "invalid syntax";
  if (end == digits.data() + digits.size() && !digits.empty()) {
    if (code == std::errc()) return value;
    if (code == std::errc::result_out_of_range) problem = "value out of range";
  }
  return Error{Reason::bad_request, "strconv.ParseInt: parsing " + quote(text) + ": " + problem};
}

Result<std::optional<std::int64_t>> int_parameter(const Query& query, std::string_view name) {
  if (!query.has(name)) return std::optional<std::int64_t>();
  TRY(const std::int64_t value, parse_go_int(query.get(name)));
  return std::optional<std::int64_t>(value);
}

std::optional<bool> bool_parameter(const Query& query, std::string_view name) {
  if (!query.has(name)) return std::nullopt;
  return query.get_bool(name);
}

Result<registry::Options> options_of(const Exchange& exchange, bool deletes) {
  const Query& query = exchange.query;
  registry::Options options;
  options.dry_run = query.all("dryRun");
  options.field_manager = query.get("fieldManager");
  const std::string_view agent = exchange.request.headers.get("user-agent");
  options.field_manager_default = agent.substr(0, std::min(agent.find('/'), kManagerLengthMax));
  options.field_validation = query.get("fieldValidation");
  options.force = bool_parameter(query, "force");
  if (deletes && exchange.request.body.empty()) {
    TRY(options.grace_seconds, int_parameter(query, "gracePeriodSeconds"));
    options.propagation = query.get("propagationPolicy");
    options.propagation_given = query.has("propagationPolicy");
    options.orphan_dependents = bool_parameter(query, "orphanDependents");
  }
  options.label_selector = query.get("labelSelector");
  options.field_selector = query.get("fieldSelector");
  options.revision = query.get("resourceVersion");
  options.revision_match = query.get("resourceVersionMatch");
  TRY(const auto limit, int_parameter(query, "limit"));
  options.limit = limit.value_or(0);
  options.continue_token = query.get("continue");
  options.allow_bookmarks = query.get_bool("allowWatchBookmarks");
  options.send_initial_events = bool_parameter(query, "sendInitialEvents");
  TRY(options.timeout_seconds, int_parameter(query, "timeoutSeconds"));
  options.watch_path = exchange.info.old_watch && !query.get_bool("watch");
  return options;
}

// A name that could not stand in a path is refused before anything else.
Result<void> check_name(const std::string& name) {
  const auto refuse = [&](const std::string& why) {
    return Error{Reason::bad_request, "Name parameter invalid: " + quote(name) + ": " + why};
  };
  if (name == "." || name == "..") return refuse("may not be '" + name + "'");
  for (const char c : {'/', '%'})
    if (name.find(c) != std::string::npos)
      return refuse(std::string("may not contain '") + c + "'");
  return {};
}

std::optional<registry::PatchType> patch_type_of(std::string_view content_type) {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (type == "application/json-patch+json") return registry::PatchType::json;
  if (type == "application/merge-patch+json") return registry::PatchType::merge;
  if (type == "application/strategic-merge-patch+json") return registry::PatchType::strategic;
  if (type == "application/apply-patch+yaml") return registry::PatchType::apply;
  return std::nullopt;
}

Error unsupported_patch(bool custom) {
  if (custom) {
    return {Reason::unsupported_media_type,
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml"};
  }
  // Of built-in kinds the router refuses it.
  Error error{Reason::unsupported_media_type, "415: Unsupported Media Type"};
  error.details = true;
  return error;
}

// The verb of this method on this path, or why there is none.
// Custom resources have a handler of their own in the original, which looks at the verb first and
// is looser about the path.
Result<Verb> custom_verb_of(const Exchange& exchange, const model::Resource& resource,
                            const model::Subresource* subresource) {
  const RequestInfo& info = exchange.info;
  const std::string& method = exchange.request.method;
  const bool named = info.parts.size() >= 2;
  const auto unsupported = [&](std::string_view verb) {
    Error error{
        Reason::method_not_allowed,
        std::string(verb) + " is not supported on resources of kind " + quote(resource.name())};
    error.group = resource.group;
    error.kind = resource.plural;
    return error;
  };
  const bool looks = method == "GET" || method == "HEAD";
  if (info.old_watch) return looks ? Result<Verb>(Verb::watch) : unsupported("watch");
  if (looks && !named) return info.verb == "watch" ? Verb::watch : Verb::list;
  if (looks) return Verb::get;
  const bool whole = subresource == nullptr;
  if (method == "POST") return whole ? Result<Verb>(Verb::create) : unsupported("create");
  if (method == "DELETE") {
    if (!whole) return unsupported("delete");
    return named ? Verb::remove : Verb::remove_collection;
  }
  if (method != "PUT" && method != "PATCH") return unsupported("");
  if (!named) return Error{Reason::bad_request, "name must be provided"};
  return method == "PUT" ? Verb::update : Verb::patch;
}

Result<Verb> verb_of(const Exchange& exchange, const model::Resource& resource,
                     const model::Subresource* subresource) {
  if (resource.custom) return custom_verb_of(exchange, resource, subresource);
  const RequestInfo& info = exchange.info;
  const std::string& method = exchange.request.method;
  const bool named = info.parts.size() >= 2;
  const auto has = [&](std::string_view verb) {
    if (subresource == nullptr) return resource.has_verb(verb);
    return std::find(subresource->verbs.begin(), subresource->verbs.end(), verb) !=
           subresource->verbs.end();
  };
  if (info.old_watch) {
    if (!has("watch")) return not_found_path();
    if (method != "GET") return method_not_allowed();
    return Verb::watch;
  }
  if (subresource == nullptr && named && !has("get") && !has("update") && !has("delete"))
    return not_found_path();
  // Across all namespaces one can only look.
  const bool everywhere = resource.namespaced && info.namespace_.empty();
  if (method == "GET" && named && has("get")) return Verb::get;
  if (method == "GET" && !named && has("list")) {
    if (info.verb != "watch") return Verb::list;
    if (has("watch")) return Verb::watch;
    Error error{Reason::method_not_allowed,
                "watch is not supported on resources of kind " + quote(resource.plural)};
    error.group = resource.group;
    error.kind = resource.plural;
    return error;
  }
  if (everywhere) return method_not_allowed();
  if (method == "POST" && (named == (subresource != nullptr)) && has("create")) return Verb::create;
  if (method == "PUT" && named && has("update")) return Verb::update;
  if (method == "PATCH" && named && has("patch")) return Verb::patch;
  if (method == "DELETE" && named && has("delete")) return Verb::remove;
  if (method == "DELETE" && !named && has("deletecollection")) return Verb::remove_collection;
  return method_not_allowed();
}

// Whether the path leads to the resource as its scope demands.
bool fits_scope(const RequestInfo& info, const model::Resource& resource) {
  if (std::any_of(info.parts.begin(), info.parts.end(),
                  [](const std::string& part) { return part.empty(); }))
    return false;
  if (resource.namespaced) return !info.namespace_.empty() || info.parts.size() < 2;
  return info.namespace_.empty() || !info.below_namespace;
}

bool is_connection(const model::Resource& resource, const std::string& subresource) {
  if (!resource.group.empty()) return false;
  if (subresource == "proxy")
    return resource.plural == "pods" || resource.plural == "services" || resource.plural == "nodes";
  return resource.plural == "pods" && (subresource == "log" || subresource == "exec" ||
                                       subresource == "attach" || subresource == "portforward");
}

bool has_body(Verb verb) {
  return verb == Verb::create || verb == Verb::update || verb == Verb::patch ||
         verb == Verb::remove || verb == Verb::remove_collection;
}

// Subresources that the original serves without a converter to tables.
bool is_document(const model::Resource& resource, std::string_view subresource) {
  if (subresource == "token") return true;
  return subresource == "status" &&
         (resource.group == "apiextensions.k8s.io" || resource.group == "apiregistration.k8s.io" ||
          resource.name() == "resourceclaims.resource.k8s.io");
}

Target target_of(Verb verb, const model::Resource& resource, std::string_view subresource) {
  if (!resource.stored || is_document(resource, subresource)) return Target::document;
  if (verb == Verb::watch) return Target::watch;
  return verb == Verb::list || verb == Verb::remove_collection ? Target::list : Target::object;
}

Result<registry::Request> request_of(const Exchange& exchange, Verb verb,
                                     const model::Resource& resource,
                                     const model::Subresource* subresource) {
  const RequestInfo& info = exchange.info;
  registry::Request request;
  request.verb = verb;
  request.group = resource.group;
  request.version = resource.version;
  request.resource = resource.plural;
  request.namespace_ = resource.namespaced ? info.namespace_ : "";
  request.subresource = info.subresource;
  request.identity = exchange.identity;
  if (info.parts.size() >= 2) {
    TRY_VOID(check_name(info.parts[1]));
    request.name = info.parts[1];
  }
  TRY(request.options,
      options_of(exchange, verb == Verb::remove || verb == Verb::remove_collection));
  if (info.old_watch && !request.name.empty()) {
    std::string& selector = request.options.field_selector;
    selector += (selector.empty() ? "metadata.name=" : ",metadata.name=") + request.name;
    request.name.clear();
  }
  const std::string_view include = exchange.query.get("includeObject");
  if (!include.empty()) request.form.include_object = include;
  if (!has_body(verb)) return request;
  if (verb == Verb::patch) {
    const auto type = patch_type_of(exchange.request.headers.get("content-type"));
    if (!type || (resource.custom && *type == registry::PatchType::strategic))
      return unsupported_patch(resource.custom);
    request.patch_type = *type;
    if (*type == registry::PatchType::apply) {
      auto document = codec::parse_yaml(exchange.request.body);
      if (document.ok()) {
        request.body =
            codec::JsonDocument{std::move(document->value), std::move(document->duplicates)};
      } else {
        Error error = document.error();
        error.message =
            "error decoding YAML: error converting YAML to JSON: " + std::move(error.message);
        request.body = std::move(error);
      }
    } else {
      request.body = codec::parse_json_document(exchange.request.body);
      request.body_text = exchange.request.body;
    }
    return request;
  }
  const bool deletes = verb == Verb::remove || verb == Verb::remove_collection;
  if (deletes && exchange.request.body.empty()) return request;
  const std::string kind = deletes                  ? "DeleteOptions"
                           : subresource != nullptr ? subresource->kind
                                                    : resource.kind;
  const codec::Type* type =
      deletes ? exchange.format.types->type("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions")
      : subresource != nullptr ? subresource->type
                               : resource.type;
  if (!deletes && subresource != nullptr && type == nullptr && subresource->kind == resource.kind)
    type = resource.type;
  if (resource.custom && !deletes) type = nullptr;
  auto document = decode_body(exchange.request, kind, type);
  // A body of an unknown type is refused at once, a broken one where the registry comes to it.
  if (!document.ok() && document.error().reason == Reason::unsupported_media_type)
    return document.error();
  request.body = std::move(document);
  if (const auto wire = body_wire(exchange.request.headers.get("content-type"));
      wire.ok() && *wire == Wire::json)
    request.body_text = exchange.request.body;
  return request;
}

}  // namespace

void Server::State::serve_resource(const ExchangePtr& exchange) {
  const RequestInfo& info = exchange->info;
  if (info.path.starts_with("//")) return exchange->answer(plain_text(404, "404 page not found\n"));
  if (info.verb == "proxy") return exchange->fail(not_found_path());
  for (const ComputedGroup& group : computed)
    if (group.group == info.group && group.version == info.version)
      for (const ComputedResource& resource : group.resources)
        if (resource.plural == info.resource) return serve_computed(exchange, resource, group);
  const model::TypeTable& types = parts.registry.types();
  const model::ResourcePointer resource = types.find(info.group, info.version, info.resource);
  // Custom resources within a namespace are listed and watched across all, and nothing else.
  const bool looks = exchange->request.method == "GET" || exchange->request.method == "HEAD";
  const bool misplaced =
      resource && resource->custom && resource->namespaced && info.namespace_.empty() && !looks;
  if (!resource || misplaced || !fits_scope(info, *resource)) {
    // Of a group that is unknown, or known only from custom resources, the router itself says so.
    bool known = info.prefix == "api";
    for (const DiscoveredGroup& group : current_documents().groups)
      if (group.name == info.group)
        for (const DiscoveredVersion& version : group.versions)
          known = known || std::any_of(version.resources.begin(), version.resources.end(),
                                       [](const auto& one) { return !one->custom; });
    if (!known) return exchange->answer(plain_text(404, "404 page not found\n"));
    return exchange->fail(not_found_path());
  }
  const model::Subresource* subresource = nullptr;
  if (!info.subresource.empty()) {
    subresource = resource->subresource(info.subresource);
    const bool proxy = info.subresource == "proxy";
    if (subresource == nullptr && resource->custom)
      return exchange->fail(registry::not_found({resource->group, resource->plural}, info.name));
    if (subresource == nullptr || (info.parts.size() > 3 && !proxy))
      return exchange->fail(not_found_path());
    if (is_connection(*resource, info.subresource) && (proxy || exchange->request.method != "HEAD"))
      return serve_connection(exchange, resource);
  }
  const auto verb = verb_of(*exchange, *resource, subresource);
  if (!verb.ok()) return exchange->fail(verb.error());
  const auto negotiated = negotiate(exchange->request.headers.get("accept"),
                                    target_of(*verb, *resource, info.subresource),
                                    resource->custom ? Protobuf::metadata : Protobuf::all);
  if (!negotiated.ok()) return exchange->fail(negotiated.error());
  exchange->format.wire = negotiated->wire;
  exchange->served = true;
  auto request = request_of(*exchange, *verb, *resource, subresource);
  if (!request.ok()) return exchange->fail(request.error());
  const std::string include = request->form.include_object;
  request->form = negotiated->form;
  request->form.include_object = include;
  request->annotations = exchange->annotations;
  if (exchange->audit && request->body.ok()) exchange->audit->request_object(request->body->value);
  if (*verb == Verb::watch) {
    settle(parts.registry.read_revision(),
           [weak = weak_from_this(), exchange, watch = *request](const Result<void>& settled) {
             const auto self = weak.lock();
             if (!settled.ok()) return exchange->fail(settled.error());
             if (self) self->serve_watch(exchange, watch);
           });
    return;
  }
  const bool reads = *verb == Verb::get || *verb == Verb::list;
  parts.registry.execute(std::move(*request), [weak = weak_from_this(), exchange,
                                               reads](Result<registry::Response> result) {
    if (const auto self = weak.lock()) self->answer(exchange, reads, std::move(result));
  });
}

void Server::State::answer(const ExchangePtr& exchange, bool reads,
                           Result<registry::Response> result) {
  if (!result.ok()) {
    // "Exists already" and "not found", too, must not come from what a crash may take back.
    const std::int64_t seen = reads ? parts.registry.read_revision() : parts.registry.revision();
    settle(seen, [exchange, error = std::move(result).error()](const Result<void>& settled) {
      exchange->fail(settled.ok() ? error : settled.error());
    });
    return;
  }
  auto response = std::make_shared<registry::Response>(std::move(result).value());
  if (exchange->audit && exchange->audit->wants_response())
    if (auto object = codec::parse_json(response->json()); object.ok())
      exchange->audit->response_object(*object);
  if (response->is_list && exchange->info.verb == "list") {
    std::size_t bytes = 0;
    for (const registry::Object& item : response->items) bytes += item.bytes().size();
    flows->estimates().learn(exchange->info, exchange->query, response->items.size(), bytes);
  }
  const std::int64_t revision = response->revision;
  settle(revision, [exchange, reads, response = std::move(response),
                    &loop = parts.loop](const Result<void>& settled) {
    if (settled.ok()) {
      HttpResponse answer = encode(response, exchange->format);
      if (answer.body) answer.body = limit_stalls(loop, std::move(answer.body), kStallLimit);
      return exchange->answer(std::move(answer));
    }
    // A change may still come to hold: whoever repeats it must know.
    exchange->fail(reads ? settled.error()
                         : Error{Reason::timeout,
                                 settled.error().message + "; whether this change holds is open"});
  });
}

void Server::State::serve_watch(const ExchangePtr& exchange, const registry::Request& request) {
  auto watcher = parts.registry.watch(request);
  if (!watcher.ok()) return exchange->fail(watcher.error());
  const std::int64_t seconds = request.options.timeout_seconds.value_or(0);
  // As the original: between one and two times its minimum, so that clients do not come back all at
  // once.
  const Duration lasting =
      seconds > 0 ? Duration::seconds(seconds)
                  : kWatchMin + Duration::nanoseconds(static_cast<std::int64_t>(parts.rng.below(
                                    static_cast<std::uint64_t>(kWatchMin.count_nanoseconds()))));
  HttpResponse response{200,
                        {{"content-type", std::string(media_type(exchange->format.wire))},
                         {"cache-control", "no-cache, private"}},
                        ""};
  if (exchange->format.wire == Wire::protobuf)
    response.headers.set("content-type", "application/vnd.kubernetes.protobuf;stream=watch");
  response.body =
      make_watch_body(parts.loop, watches, std::move(watcher).value(), parts.loop.now() + lasting,
                      request.options.allow_bookmarks, exchange->format);
  exchange->watch = flows->estimates().begin_watch(exchange->info);
  exchange->answer(std::move(response));
}

void Server::State::serve_computed(const ExchangePtr& exchange, const ComputedResource& resource,
                                   const ComputedGroup& group) {
  const RequestInfo& info = exchange->info;
  const bool named = info.parts.size() == 2;
  if (info.parts.size() > 2 || (resource.namespaced && named && info.namespace_.empty()) ||
      (!resource.namespaced && !info.namespace_.empty()))
    return exchange->fail(not_found_path());
  if (exchange->request.method != "GET" || info.verb == "watch")
    return exchange->fail(method_not_allowed());
  const auto negotiated =
      negotiate(exchange->request.headers.get("accept"), Target::list, Protobuf::none);
  if (!negotiated.ok()) return exchange->fail(negotiated.error());
  exchange->format.wire = negotiated->wire == Wire::yaml ? Wire::yaml : Wire::json;
  if (named) {
    Value object;
    if (resource.get) {
      object = resource.get(info.namespace_, info.name);
    } else {
      for (Value& one : resource.list(info.namespace_))
        if (model::name_of(one) == info.name) object = std::move(one);
    }
    if (object.is_null())
      return exchange->fail(registry::not_found({info.group, resource.plural}, info.name));
    return exchange->answer(encode(object, 200, exchange->format));
  }
  auto selector = model::LabelSelector::parse(info.label_selector);
  if (!selector.ok()) return exchange->fail(selector.error());
  Value items = Value::array();
  for (Value& one : resource.list(info.namespace_)) {
    if (!selector->matches(model::labels_of(one))) continue;
    items.push_back(std::move(one));
  }
  exchange->answer(encode(Value::object({{"kind", resource.kind + "List"},
                                         {"apiVersion", group.group + "/" + group.version},
                                         {"metadata", Value::object()},
                                         {"items", items}}),
                          200, exchange->format));
}

}  // namespace keelson::api
