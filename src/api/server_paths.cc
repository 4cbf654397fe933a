// Everything that is no resource: discovery, OpenAPI, health, version, metrics, the keys of tokens.
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "api/openapi.h"
#include "api/server_state.h"
#include "base/text.h"

namespace keelson::api {
namespace {

std::string sha512_hex(std::string_view text) {
  std::array<unsigned char, SHA512_DIGEST_LENGTH> digest{};
  SHA512(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::string hex = to_hex({reinterpret_cast<char*>(digest.data()), digest.size()});
  for (char& c : hex)
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  return hex;
}

Value version_document(const std::string& git_version) {
  return Value::object({{"major", "1"},
                        {"minor", "36"},
                        {"emulationMajor", "1"},
                        {"emulationMinor", "36"},
                        {"minCompatibilityMajor", "1"},
                        {"minCompatibilityMinor", "35"},
                        {"gitVersion", git_version},
                        {"gitCommit", ""},
                        {"gitTreeState", ""},
                        {"buildDate", "1970-01-01T00:00:00Z"},
                        {"goVersion", ""},
                        {"compiler", "g++"},
                        {"platform", "linux/amd64"}});
}

// Computed groups appear in discovery like any other.
std::vector<model::ResourcePointer> computed_resources(const std::vector<ComputedGroup>& groups) {
  std::vector<model::ResourcePointer> list;
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

// Answers with a document that a client may already have.
void answer_cached(const ExchangePtr& exchange, const std::string& text, const std::string& etag,
                   const std::string& content_type) {
  HttpResponse response{200,
                        {{"content-type", content_type},
                         {"etag", etag},
                         {"vary", "Accept"},
                         {"cache-control", "no-cache, private"}},
                        ""};
  if (exchange->request.headers.get("if-none-match") == etag) {
    response.code = 304;
    return exchange->answer(std::move(response));
  }
  response.text = text;
  if (exchange->format.gzip && response.text.size() >= 32 * 1024) {
    response.headers.add("content-encoding", "gzip");
    response.text = gzip(response.text, 1);
  }
  exchange->answer(std::move(response));
}

const DiscoveredGroup* find_group(const Documents& documents, std::string_view name) {
  for (const DiscoveredGroup& group : documents.groups)
    if (group.name == name) return &group;
  return nullptr;
}

const DiscoveredVersion* find_version(const DiscoveredGroup& group, std::string_view name) {
  for (const DiscoveredVersion& version : group.versions)
    if (version.version == name) return &version;
  return nullptr;
}

}  // namespace

const Documents& Server::State::current_documents() {
  const std::int64_t generation = parts.registry.served_generation() * 1000 + computed_generation;
  if (documents.generation != generation) {
    std::vector<model::ResourcePointer> all = parts.registry.types().all();
    for (model::ResourcePointer& resource : computed_resources(computed))
      all.push_back(std::move(resource));
    documents = {generation, discovered_groups(std::move(all)), {}};
  }
  return documents;
}

const std::string& Server::State::document(const std::string& key,
                                           const std::function<Value()>& make) {
  current_documents();
  const auto found = documents.texts.find(key);
  if (found != documents.texts.end()) return found->second;
  return documents.texts.emplace(key, codec::to_json(make())).first->second;
}

void Server::State::serve_path(const ExchangePtr& exchange) {
  std::string_view path = exchange->info.path;
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/api" || path == "/apis" || path.starts_with("/api/") || path.starts_with("/apis/"))
    return serve_discovery(exchange);
  if (path.starts_with("/openapi/")) return serve_openapi(exchange);
  for (const std::string_view health : {"/healthz", "/livez", "/readyz"})
    if (path == health || (path.starts_with(health) && path[health.size()] == '/'))
      return serve_health(exchange);
  const std::string& method = exchange->request.method;
  if (path == "/version") {
    if (method != "GET") return exchange->fail(method_not_allowed());
    return exchange->answer(encode(version_document(parts.version_text), 200, exchange->format));
  }
  if (path == "/metrics" && method == "GET") {
    std::string text = metrics.text(count_watches(*watches), http ? http->connections() : 0);
    text += flows->metrics();
    if (parts.more_metrics) text += parts.more_metrics();
    HttpResponse response = plain_text(200, std::move(text));
    response.headers.set("content-type", "text/plain; version=0.0.4; charset=utf-8");
    return exchange->answer(std::move(response));
  }
  if (path == "/openid/v1/jwks" || path == "/.well-known/openid-configuration") {
    const TokenSigner& signer = parts.access.signer();
    const bool keys = path == "/openid/v1/jwks";
    HttpResponse response{200,
                          {{"content-type", keys ? "application/jwk-set+json" : "application/json"},
                           {"cache-control", "public, max-age=3600"}},
                          codec::to_json(keys ? signer.key_set()
                                              : signer.configuration("https://" + public_address +
                                                                     "/openid/v1/jwks"))};
    return exchange->answer(std::move(response));
  }
  if (path == "/" || path.empty()) {
    Value paths = Value::array();
    for (const std::string_view one :
         {"/.well-known/openid-configuration", "/api", "/api/v1", "/apis"})
      paths.push_back(one);
    for (const DiscoveredGroup& group : current_documents().groups) {
      if (group.name.empty()) continue;
      paths.push_back("/apis/" + group.name);
      for (const DiscoveredVersion& version : group.versions)
        paths.push_back("/apis/" + group.name + "/" + version.version);
    }
    for (const std::string_view one : {"/healthz", "/livez", "/metrics", "/openapi/v2",
                                       "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"})
      paths.push_back(one);
    return exchange->answer(encode(Value::object({{"paths", paths}}), 200, exchange->format));
  }
  HttpResponse missing = plain_text(404, "404 page not found\n");
  exchange->answer(std::move(missing));
}

void Server::State::serve_discovery(const ExchangePtr& exchange) {
  const std::vector<std::string> all = split(std::string_view(exchange->info.path).substr(1), '/');
  std::vector<std::string> path = all;
  while (!path.empty() && path.back().empty()) path.pop_back();
  const std::string_view accept = exchange->request.headers.get("accept");
  const std::string& method = exchange->request.method;
  if (path.size() == 1) {
    if (method == "HEAD" || method == "OPTIONS" || method == "PROPFIND")
      return exchange->fail(method_not_allowed());
    const bool core = path[0] == "api";
    const auto aggregated = negotiate_aggregated(accept);
    if (!aggregated.ok()) return exchange->fail(aggregated.error());
    if (*aggregated) {
      const std::string& text = document(
          "aggregated:" + path[0], [&] { return aggregated_discovery(documents.groups, core); });
      return answer_cached(exchange, text, quote(sha512_hex(text)),
                           "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    }
    const auto negotiated = negotiate(accept, Target::document);
    if (!negotiated.ok()) return exchange->fail(negotiated.error());
    exchange->format.wire = negotiated->wire == Wire::yaml ? Wire::yaml : Wire::json;
    const Value list =
        core ? api_versions(public_address) : api_group_list(current_documents().groups);
    return exchange->answer(encode(list, 200, exchange->format));
  }
  const bool core = path[0] == "api";
  const DiscoveredGroup* group = find_group(current_documents(), core ? "" : path[1]);
  if (group == nullptr || (!core && path[1].empty()))
    return exchange->answer(plain_text(404, "404 page not found\n"));
  const std::size_t version_at = core ? 1 : 2;
  const auto negotiated = negotiate(accept, Target::document);
  if (path.size() == version_at) {
    if (!negotiated.ok()) return exchange->fail(negotiated.error());
    exchange->format.wire = negotiated->wire == Wire::yaml ? Wire::yaml : Wire::json;
    return exchange->answer(encode(api_group(*group), 200, exchange->format));
  }
  const DiscoveredVersion* version = find_version(*group, path[version_at]);
  if (version == nullptr && path.size() == version_at + 1) {
    // A group that only custom resources have answers as one that nobody has.
    bool custom = true;
    for (const DiscoveredVersion& one : group->versions)
      for (const auto& resource : one.resources) custom = custom && resource->custom;
    if (custom) return exchange->answer(plain_text(404, "404 page not found\n"));
  }
  if (version == nullptr || path.size() > version_at + 1) return exchange->fail(not_found_path());
  if (method != "GET") return exchange->fail(method_not_allowed());
  if (!negotiated.ok()) return exchange->fail(negotiated.error());
  exchange->format.wire = negotiated->wire == Wire::yaml ? Wire::yaml : Wire::json;
  exchange->answer(encode(api_resource_list(*group, *version), 200, exchange->format));
}

void Server::State::serve_openapi(const ExchangePtr& exchange) {
  std::string path = exchange->info.path.substr(std::string_view("/openapi/").size());
  while (path.ends_with('/')) path.pop_back();
  current_documents();
  const OpenapiSource source{documents.groups, parts.registry.types()};
  if (path == "v2") {
    // The original's protobuf form of this document is not served; clients then take JSON.
    const std::string_view accept = exchange->request.headers.get("accept");
    if (!accept.empty() && accept.find("application/json") == std::string_view::npos &&
        accept.find("*/*") == std::string_view::npos)
      return exchange->answer({406, {}, ""});
    const std::string& text = document("openapi/v2", [&] { return openapi_v2(source); });
    return answer_cached(exchange, text, quote(sha512_hex(text)), "application/json");
  }
  const auto of_version = [&](const std::string& name) -> const std::string& {
    return document("openapi/v3/" + name, [&] { return openapi_v3(source, name); });
  };
  if (path == "v3") {
    const std::string& text = document("openapi/v3", [&] {
      Value paths = Value::object();
      for (const std::string& name : openapi_v3_names(source)) {
        const std::string address = "/openapi/v3/" + name + "?hash=" + sha512_hex(of_version(name));
        paths.set(name, Value::object({{"serverRelativeURL", address}}));
      }
      return Value::object({{"paths", paths}});
    });
    return answer_cached(exchange, text, quote(sha512_hex(text)), "application/json");
  }
  if (path.starts_with("v3/")) {
    const std::string name = path.substr(3);
    const std::vector<std::string> names = openapi_v3_names(source);
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      const std::string& text = of_version(name);
      return answer_cached(exchange, text, quote(sha512_hex(text)), "application/json");
    }
    return exchange->answer({404, {}, ""});
  }
  exchange->answer(plain_text(404, "404 page not found\n"));
}

void Server::State::serve_health(const ExchangePtr& exchange) {
  const std::vector<std::string> path = split(std::string_view(exchange->info.path).substr(1), '/');
  const std::string& kind = path[0];
  std::vector<std::string> bad;
  if (kind != "livez" && parts.not_ready) bad = parts.not_ready();
  if (kind == "readyz" && stopping) bad.push_back("shutdown");
  if (path.size() > 1 && !path[1].empty()) {
    const bool known = path[1] == "ping" || path[1] == "etcd" || path[1] == "log" ||
                       path[1] == "poststarthook" || path[1] == "shutdown";
    if (!known) return exchange->answer(plain_text(404, "404 page not found\n"));
    const bool ok = std::find(bad.begin(), bad.end(), path[1]) == bad.end();
    return exchange->answer(plain_text(ok ? 200 : 500, ok ? "ok" : "internal server error"));
  }
  if (bad.empty() && !exchange->query.has("verbose"))
    return exchange->answer(plain_text(200, "ok"));
  std::string text = "[+]ping ok\n[+]log ok\n";
  for (const std::string& name : bad) text += "[-]" + name + " failed: not ready\n";
  text += kind + (bad.empty() ? " check passed\n" : " check failed\n");
  exchange->answer(plain_text(bad.empty() ? 200 : 500, std::move(text)));
}

}  // namespace keelson::api
