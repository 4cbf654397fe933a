// What tells of the resources: discovery, plain and aggregated, and OpenAPI. All but the plain form
// of discovery is kept (document_cache.h); nothing is made before somebody asks for it.
#include <algorithm>
#include <array>

#include "api/documents/openapi.h"
#include "api/documents/openapi_wire.h"
#include "api/server_state.h"
#include "base/text.h"
#include "codec/protobuf.h"
#include "codec/yaml.h"

namespace keelson::api {
namespace {

constexpr std::string_view kOffersV2[] = {
    "application/json", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"};
constexpr std::string_view kOffersV3[] = {
    "application/json", "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"};
constexpr std::string_view kAggregatedKey = "aggregated";
constexpr std::string_view kMediaV2 = kOffersV2[2];
constexpr std::string_view kMediaV3 = kOffersV3[1];

// Computed groups appear in discovery like any other.
Resources computed_resources(const std::vector<ComputedGroup>& groups) {
  Resources list;
  for (const ComputedGroup& group : groups) {
    for (const ComputedResource& computed : group.resources) {
      auto resource = std::make_shared<model::Resource>();
      resource->group = group.group;
      resource->version = group.version;
      resource->plural = computed.plural;
      resource->singular = computed.singular;
      resource->kind = computed.kind;
      resource->namespaced = computed.namespaced;
      resource->short_names = computed.short_names;
      resource->verbs = {"get", "list"};
      resource->stored = false;
      list.push_back(std::move(resource));
    }
  }
  return list;
}

Resources all_resources(const std::vector<DiscoveredGroup>& groups) {
  Resources all;
  for (const DiscoveredGroup& group : groups)
    for (const DiscoveredVersion& version : group.versions)
      all.insert(all.end(), version.resources.begin(), version.resources.end());
  return all;
}

bool names_tag(std::string_view header, std::string_view quoted) {
  for (const std::string& one : split(header, ',')) {
    std::string_view tag = trim(one);
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == quoted || tag == "*") return true;
  }
  return false;
}

// "Sat, 21 Nov 2026 14:16:38 GMT".
std::string http_date(Instant time) {
  constexpr std::array<std::string_view, 7> days = {"Thu", "Fri", "Sat", "Sun",
                                                    "Mon", "Tue", "Wed"};  // from 1970-01-01
  constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  constexpr std::int64_t day = 24 * 60 * 60;
  const std::string text = to_rfc3339(time);  // 2026-11-21T14:16:38Z
  const std::int64_t month = parse_int(text.substr(5, 2)).value_or(1);
  const auto weekday = static_cast<std::size_t>(time.unix_seconds() / day % 7);
  return std::string(days[weekday]) + ", " + text.substr(8, 2) + " " +
         std::string(months[static_cast<std::size_t>(month - 1)]) + " " + text.substr(0, 4) + " " +
         text.substr(11, 8) + " GMT";
}

// Answers with a document that a client may already have.
void answer_document(const ExchangePtr& exchange, const CachedDocument& document,
                     std::string_view media_type, const Headers& caching) {
  HttpResponse response{200, caching, ""};
  response.headers.set("content-type", std::string(media_type));
  response.headers.set("etag", quote(document.tag));
  response.headers.add("vary", "Accept-Encoding");
  response.headers.add("vary", "Accept");
  if (names_tag(exchange->request.headers.get("if-none-match"), quote(document.tag))) {
    response.code = 304;
  } else if (exchange->format.gzip) {
    response.headers.add("content-encoding", "gzip");
    response.text = document.packed;
  } else {
    response.text = document.text();
  }
  exchange->answer(std::move(response));
}

Headers revalidated() {
  return {{"cache-control", "no-cache, private"}};
}

const DiscoveredGroup* find_group(const Documents& documents, std::string_view name) {
  for (const DiscoveredGroup& group : documents.merged)
    if (group.name == name) return &group;
  return nullptr;
}

const DiscoveredVersion* find_version(const DiscoveredGroup& group, std::string_view name) {
  for (const DiscoveredVersion& version : group.versions)
    if (version.version == name) return &version;
  return nullptr;
}

bool is_custom(const DiscoveredVersion& version) {
  return std::all_of(version.resources.begin(), version.resources.end(),
                     [](const auto& one) { return one->custom; });
}

bool is_custom(const DiscoveredGroup& group) {
  return std::all_of(group.versions.begin(), group.versions.end(),
                     [](const DiscoveredVersion& version) { return is_custom(version); });
}

// The documents of OpenAPI, by the keys under which they are kept.
class OpenapiDocuments {
 public:
  OpenapiDocuments(Documents& documents, const model::TypeTable& types)
      : documents_(documents), source_{documents.groups, types} {}

  using Others = std::map<std::string, std::string>;

  const CachedDocument& version2(bool wire) {
    const CachedDocument& json = get("v2", [&] { return codec::to_json(openapi_v2(source_)); });
    if (!wire) return json;
    return get(
        "v2 wire", [&] { return openapi_v2_wire(openapi_v2(source_)); }, json.tag);
  }

  const CachedDocument& version3(const std::string& name, bool wire) {
    const CachedDocument& json =
        get("v3/" + name, [&] { return codec::to_json(openapi_v3(source_, name)); });
    if (!wire) return json;
    return get(
        "v3 wire/" + name, [&] { return openapi_v3_wire(openapi_v3(source_, name)); }, json.tag);
  }

  static std::string address(const std::string& name, const CachedDocument& document) {
    return "/openapi/v3/" + name + "?hash=" + document.tag;
  }

  // With where other servers have theirs.
  const CachedDocument& index(const std::function<Others()>& others) {
    return get("v3", [&] {
      Value paths = Value::object();
      for (const std::string& name : names())
        paths.set(name,
                  Value::object({{"serverRelativeURL", address(name, version3(name, false))}}));
      for (const auto& [name, address] : others())
        paths.set(name, Value::object({{"serverRelativeURL", address}}));
      return codec::to_json(Value::object({{"paths", paths}}));
    });
  }

  std::vector<std::string> names() const { return openapi_v3_names(source_); }

  Resources resources(const std::string& key) const {
    for (const std::string_view prefix : {"v3/", "v3 wire/"})
      if (key.starts_with(prefix)) return openapi_v3_resources(source_, key.substr(prefix.size()));
    Resources all = all_resources(source_.groups);
    if (key == "v3" || key.starts_with(kAggregatedKey)) all.push_back(documents_.others);
    return all;
  }

 private:
  const CachedDocument& get(const std::string& key, const std::function<std::string()>& make,
                            std::string tag = {}) {
    return documents_.cache.get(
        key, [&] { return resources(key); }, make, std::move(tag));
  }

  Documents& documents_;
  const OpenapiSource source_;
};

// In the form that the client wants; all forms have the tag of the JSON.
const CachedDocument& aggregated(Documents& documents, const model::TypeTable& types, bool core,
                                 Wire wire) {
  const std::string key = std::string(kAggregatedKey) + (core ? " api" : " apis");
  const auto resources = [&] { return OpenapiDocuments(documents, types).resources(key); };
  const auto make = [&] { return aggregated_discovery(documents.merged, core); };
  const CachedDocument& json =
      documents.cache.get(key, resources, [&] { return codec::to_json(make()) + "\n"; });
  if (wire == Wire::yaml)
    return documents.cache.get(
        key + " yaml", resources, [&] { return codec::to_yaml(make()); }, json.tag);
  if (wire == Wire::protobuf)
    return documents.cache.get(
        key + " wire", resources,
        [&] {
          const Value list = make();
          const codec::Type* type = types.type("io.k8s.api.apidiscovery.v2.APIGroupDiscoveryList");
          return codec::wrap_protobuf(list["apiVersion"].as_string(), list["kind"].as_string(),
                                      codec::to_protobuf(*type, list));
        },
        json.tag);
  return json;
}

}  // namespace

Documents& Server::State::current_documents() {
  const std::int64_t remote_generation = aggregator->generation();
  const std::int64_t generation = parts.registry.served_generation() * 1000 + computed_generation +
                                  remote_generation * 1'000'000'000'000;
  if (documents.generation != generation) {
    Resources all = parts.registry.types().all();
    for (model::ResourcePointer& resource : computed_resources(computed))
      all.push_back(std::move(resource));
    documents.generation = generation;
    const Priorities priorities = aggregator->priorities();
    documents.groups = discovered_groups(all, priorities);
    documents.merged = discovered_groups(std::move(all), priorities, aggregator->versions());
    documents.others = std::make_shared<model::Resource>();
    const OpenapiDocuments openapi(documents, parts.registry.types());
    documents.cache.keep_current([&](const std::string& key) { return openapi.resources(key); });
  }
  return documents;
}

void Server::State::serve_openapi(const ExchangePtr& exchange) {
  const std::string path = exchange->info.path.substr(std::string_view("/openapi/").size());
  const std::string_view accept = exchange->request.headers.get("accept");
  OpenapiDocuments openapi(current_documents(), parts.registry.types());
  if (path == "v2") {
    const auto offer = negotiate_offers(accept, kOffersV2);
    if (!offer) return exchange->answer({406, {{"vary", "Accept"}}, ""});
    const bool wire = *offer != 0;
    return answer_document(exchange, openapi.version2(wire), wire ? kMediaV2 : kOffersV2[0],
                           revalidated());
  }
  if (path == "v3")
    return answer_document(exchange, openapi.index([this] { return aggregator->openapi(); }),
                           "text/plain; charset=utf-8", revalidated());
  if (!path.starts_with("v3/")) return exchange->answer(plain_text(404, "404 page not found\n"));
  const std::string name = path.substr(3);
  // One that could not be asked for its documents, or has none, is as if it were not there.
  if (const Aggregator::Remote* remote = aggregator->find_path("/" + name))
    return aggregator->openapi().contains(name) ? serve_remote(exchange, *remote)
                                                : exchange->answer({404, {}, ""});
  const std::vector<std::string> names = openapi.names();
  if (!std::binary_search(names.begin(), names.end(), name)) return exchange->answer({404, {}, ""});
  const auto offer = negotiate_offers(accept, kOffersV3);
  if (!offer) return exchange->answer({406, {{"vary", "Accept"}}, ""});
  const bool wire = *offer != 0;
  const CachedDocument& document = openapi.version3(name, wire);
  const std::string_view media = wire ? kMediaV3 : kOffersV3[0];
  const std::string hash(exchange->query.get("hash"));
  if (hash.empty()) return answer_document(exchange, document, media, revalidated());
  // Who asks by its hash may keep it for ever.
  if (hash != document.tag) {
    HttpResponse moved{301, revalidated(), ""};
    moved.headers.set("content-type", std::string(media));
    moved.headers.set("etag", quote(document.tag));
    moved.headers.set("location", OpenapiDocuments::address(name, document));
    moved.headers.set("vary", "Accept");
    return exchange->answer(std::move(moved));
  }
  constexpr std::int64_t year = 365;
  answer_document(exchange, document, media,
                  {{"cache-control", "public, immutable"},
                   {"expires", http_date(parts.loop.now() + Duration::hours(year * 24))}});
}

void Server::State::serve_discovery(const ExchangePtr& exchange) {
  const std::string& whole = exchange->info.path;
  std::vector<std::string> path = split(std::string_view(whole).substr(1), '/');
  while (!path.empty() && path.back().empty()) path.pop_back();
  const std::string_view accept = exchange->request.headers.get("accept");
  const bool get = exchange->request.method == "GET";
  const bool core = path[0] == "api";
  const auto send_in = [&](const Value& document, const Result<Wire>& wire) {
    if (!wire.ok()) return exchange->fail(wire.error());
    exchange->format.wire = *wire;
    exchange->answer(encode(document, 200, exchange->format));
  };
  const auto send = [&](const Value& document) {
    const auto negotiated = negotiate(accept, Target::document);
    send_in(document, negotiated.ok() ? Result<Wire>(negotiated->wire) : negotiated.error());
  };
  // Some paths take every method, and no router looks at what is accepted.
  const auto send_unrouted = [&](const Value& document) {
    send_in(document, negotiate_unrouted(accept));
  };
  const auto missing = [&] { exchange->answer(plain_text(404, "404 page not found\n")); };
  if (path.size() == 1) {
    if (core && !get) return exchange->fail(method_not_allowed());
    if (!core && whole.size() > std::string_view("/apis/").size()) return missing();
    const auto form = negotiate_aggregated(accept);
    if (form && whole != "/apis/")
      return answer_document(
          exchange, aggregated(current_documents(), parts.registry.types(), core, *form),
          std::string(media_type(*form)) + ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
          {{"cache-control", "public"}});
    if (core) return send(api_versions(public_address));
    return send_unrouted(api_group_list(current_documents().merged));
  }
  const DiscoveredGroup* group = find_group(current_documents(), core ? "" : path[1]);
  if (group == nullptr || (!core && path[1].empty())) return missing();
  const std::size_t version_at = core ? 1 : 2;
  if (path.size() == version_at) return send_unrouted(api_group(*group));
  const DiscoveredVersion* version = find_version(*group, path[version_at]);
  // A group that only custom resources have answers as one that nobody has.
  if (version == nullptr && path.size() == version_at + 1 && is_custom(*group)) return missing();
  if (version == nullptr || path.size() > version_at + 1) return exchange->fail(not_found_path());
  if (is_custom(*version)) return send_unrouted(api_resource_list(*group, *version));
  if (!get) return exchange->fail(method_not_allowed());
  send(api_resource_list(*group, *version));
}

}  // namespace keelson::api
