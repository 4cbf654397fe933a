// What is neither a resource nor tells of them: health, version, metrics, the keys of tokens.
#include <algorithm>

#include "api/server_state.h"
#include "base/text.h"

namespace keelson::api {
namespace {

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

}  // namespace

void Server::State::serve_path(const ExchangePtr& exchange) {
  std::string_view path = exchange->info.path;
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/api" || path == "/apis" || path.starts_with("/api/") || path.starts_with("/apis/"))
    return serve_discovery(exchange);
  if (path.starts_with("/openapi/")) return serve_openapi(exchange);
  for (const std::string_view health : {"/healthz", "/livez", "/readyz"})
    if (path == health || (path.starts_with(health) && path[health.size()] == '/')) {
      if (path.size() == exchange->info.path.size()) return serve_health(exchange);
      return exchange->answer(plain_text(404, "404 page not found\n"));
    }
  const std::string& method = exchange->request.method;
  const std::string_view accept = exchange->request.headers.get("accept");
  if (path.starts_with("/version/")) return exchange->fail(not_found_path());
  if (path == "/version") {
    if (method != "GET") return exchange->fail(method_not_allowed());
    if (const auto taken = require_accepted(accept, "application/json"); !taken.ok())
      return exchange->fail(taken.error());
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
    // The keys are where the client found this document: a pod reaches the server by another
    // address than the host does.
    const std::string_view host = exchange->request.headers.get("host");
    const std::string address = host.empty() ? public_address : std::string(host);
    const std::string media = keys ? "application/jwk-set+json" : "application/json";
    if (method != "GET") return exchange->fail(method_not_allowed());
    if (const auto taken = require_accepted(accept, media); !taken.ok())
      return exchange->fail(taken.error());
    HttpResponse response{
        200,
        {{"content-type", media}, {"cache-control", "public, max-age=3600"}},
        codec::to_json(keys ? signer.key_set()
                            : signer.configuration("https://" + address + "/openid/v1/jwks"))};
    return exchange->answer(std::move(response));
  }
  if (path == "/" || path.empty()) {
    Value paths = Value::array();
    for (const std::string_view one :
         {"/.well-known/openid-configuration", "/api", "/api/v1", "/apis"})
      paths.push_back(one);
    for (const DiscoveredGroup& group : current_documents().merged) {
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
