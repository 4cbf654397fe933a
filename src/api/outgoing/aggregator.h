// Aggregated APIs: the servers behind APIServices with a Service. Knows which groups and versions
// they serve, asks them whether they are there and what their resources are, and says how a request
// reaches them. What is true of the objects alone (the Service is missing, has no endpoints) the
// registry says by itself. Source: kube-aggregator pkg/apiserver and pkg/controllers/status/remote.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "api/documents/discovery.h"
#include "api/http/tls.h"
#include "api/outgoing/http_client.h"
#include "api/outgoing/proxy.h"
#include "registry/registry.h"

namespace keelson::api {

// The certificate by which those servers know that a request's X-Remote-* headers are ours.
struct ProxyIdentity {
  std::string certificate_pem, key_pem;
};

class Aggregator {
 public:
  Aggregator(host::Loop& loop, host::Sockets& sockets, registry::Registry& registry, Prng& rng,
             ProxyIdentity identity);
  ~Aggregator();
  Aggregator(const Aggregator&) = delete;
  Aggregator& operator=(const Aggregator&) = delete;

  struct Remote {
    std::string name;  // of the APIService
    std::string group, version;
    Value spec;
    bool available = false;
  };
  // The other server that serves this group and version; null: nobody but us.
  const Remote* find(std::string_view group, std::string_view version);
  // The same from a decoded path, "/apis/GROUP/VERSION..."; null too for what is always ours.
  const Remote* find_path(std::string_view path);

  // How the request reaches the server, as this user. Error: service_unavailable or internal_error;
  // its message is the whole answer.
  Result<Forwarding> plan(const Remote& remote, const HttpRequest& request,
                          const registry::Identity& user, const std::string& audit_id);

  // The versions of other servers for discovery, and the priorities that all APIServices give.
  std::vector<RemoteVersion> versions();
  Priorities priorities();
  // Where other servers have the OpenAPI v3 documents of their versions, by the name that the
  // index gives them ("apis/GROUP/VERSION").
  std::map<std::string, std::string> openapi();
  // Counts up with every change of what versions() and openapi() say.
  std::int64_t generation();

 private:
  struct Place {
    std::string address, host;
    int port = 0;
    std::shared_ptr<const TlsContext> context;
  };
  // What is remembered of a server between two looks at it.
  struct State {
    bool asking = false, again = false;
    int failures = 0;
    Value resources;  // an APIVersionDiscovery; null: never got
    bool stale = true;
    std::string openapi;  // relative URL of its document; empty: it has none
    std::shared_ptr<void> timer;
  };

  void refresh();
  Result<Place> place_of(const Remote& remote);
  Result<std::shared_ptr<const TlsContext>> context_of(const Value& spec);
  void ask(std::string name);
  void asked(const std::string& name, const std::string& url, const Result<HttpReply>& reply);
  void discover(const std::string& name, const Value& plain);
  void take_resources(const std::string& name, Value resources, bool stale);
  void ask_openapi(const std::string& name);
  void rest(const std::string& name, Duration pause);
  HttpCall call_to(const Place& place, std::string target) const;
  const Remote* named(const std::string& name);

  host::Loop& loop_;
  registry::Registry& registry_;
  Prng& rng_;
  ProxyIdentity identity_;
  HttpClient client_;
  host::Sockets& sockets_;
  std::int64_t seen_ = -1;  // of the registry's served generation
  std::int64_t generation_ = 0;
  std::map<std::pair<std::string, std::string>, Remote, std::less<>> remotes_;
  std::map<std::string, State> states_;  // by name
  std::map<std::string, std::shared_ptr<const TlsContext>> contexts_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

// An APIVersionDiscovery from an APIResourceList. Pure.
Value discovery_of_list(const Value& list, std::string_view group, std::string_view version);

}  // namespace keelson::api
