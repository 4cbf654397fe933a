// The API server: HTTP in front, the registry behind. Reads a request's URL, finds out who asks and
// whether they may, hands resources to the registry and answers everything else (discovery,
// OpenAPI, health, metrics, tokens' keys) itself. An answer leaves only when what it says survives
// a crash.
//
//   auto server = api::Server(parts);
//   TRY(int port, server.listen("127.0.0.1", 0, tls));
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/access/access_control.h"
#include "api/audit/audit.h"
#include "api/fairness/flow_control.h"
#include "api/http/http_server.h"
#include "api/outgoing/aggregator.h"
#include "base/prng.h"
#include "cluster/pod_streams.h"
#include "host/loop.h"
#include "host/sockets.h"
#include "registry/registry.h"

namespace keelson::api {

// A group of the API that a function serves, not the store: read-only, such as metrics.k8s.io.
struct ComputedResource {
  std::string plural, singular, kind;
  bool namespaced = false;
  std::vector<std::string> short_names = {};
  // All objects of a namespace (empty: of all), by namespace and name; complete with metadata.
  // Selectors and get by name are applied to this list.
  std::function<std::vector<Value>(std::string_view ns)> list;
  // One object; null if there is none. Optional: `list` serves it otherwise.
  std::function<Value(std::string_view ns, std::string_view name)> get = {};
};
struct ComputedGroup {
  std::string group, version;
  std::vector<ComputedResource> resources;
};

struct ServerParts {
  host::Loop& loop;
  host::Sockets& sockets;
  registry::Registry& registry;
  AccessControl& access;
  Prng& rng;
  // store::Store::settle with a plain number; empty: everything counts as durable.
  std::function<void(std::int64_t revision, std::function<void(Result<void>)>)> settle = {};
  cluster::PodStreams* pod_streams = nullptr;  // null: no containers to reach (404s as without)
  // The state that /readyz and /livez report besides our own; empty means ready. Names of what is
  // not ready yet.
  std::function<std::vector<std::string>()> not_ready = {};
  // More lines for /metrics, in Prometheus' text form.
  std::function<std::string()> more_metrics = {};
  FlowOptions flow = {};
  std::shared_ptr<const AuditLog> audit = {};  // null: nothing is recorded
  std::size_t connections_max = HttpLimits().connections_max;
  std::string version_text = "v1.36.1";  // gitVersion of /version
  ProxyIdentity proxy_identity = {};     // towards aggregated API servers
};

class Server {
 public:
  explicit Server(ServerParts parts);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void add_group(ComputedGroup group);
  Result<int> listen(const std::string& address, int port,
                     std::shared_ptr<const TlsContext> context);
  // The address that clients use ("127.0.0.1:6443"), for /api.
  void set_public_address(std::string address);
  void replace_tls(std::shared_ptr<const TlsContext> context);
  // Watches end, running requests finish, then `done`; at the latest after `limit`.
  void stop(Duration limit, std::function<void()> done);

  // One request without a network, for tests.
  void handle(HttpRequest request, std::shared_ptr<Responder> responder);

  struct State;  // internal to the server

 private:
  std::shared_ptr<State> state_;
};

}  // namespace keelson::api
