// Engine: the whole live platform in one object, put together from the rooms: store, registry, API
// server, controllers, nodes, network. The only place that knows how they fit. Everything runs on
// the loop of the caller.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/client.h"
#include "base/result.h"
#include "base/time.h"
#include "host/linux/loop.h"

namespace keelson::app {

// What kube-apiserver takes on its command line, files above all; empty: not used.
struct ApiFiles {
  int reads_max = 400, writes_max = 200;  // under way at once; their sum is shared out as seats
  std::string audit_policy, audit_log;
  std::int64_t audit_log_megabytes_max = 100;
  int audit_log_backups_max = 0;
  std::string encryption;  // EncryptionConfiguration
  bool encryption_reload = false;
  // Front proxies: their authority, and what lists with commas say of them.
  std::string proxy_ca, proxy_names;
  std::string proxy_user_headers = "X-Remote-User", proxy_uid_headers = "X-Remote-Uid";
  std::string proxy_group_headers = "X-Remote-Group";
  std::string proxy_extra_prefixes = "X-Remote-Extra-";
  std::string authentication;  // AuthenticationConfiguration
  // One OIDC issuer without such a file.
  std::string oidc_issuer, oidc_client, oidc_ca;
  std::string oidc_username_claim = "sub", oidc_username_prefix;
  std::string oidc_groups_claim, oidc_groups_prefix, oidc_algorithms = "RS256";
  std::vector<std::string> oidc_required_claims;  // "name=value"
};

// "iss" of the tokens of service accounts.
constexpr const char* kServiceAccountIssuer = "https://kubernetes.default.svc.cluster.local";

struct EngineOptions {
  std::string name, directory;
  std::string address = "127.0.0.1";
  int port = 0;                   // 0: the one of last time if it is free, else a free one
  bool controllers = true;        // false: a bare API server, as operators' tests use it
  std::vector<std::string> only;  // names of controllers; empty: all
  ApiFiles files = {};
};

class Engine {
 public:
  // Opens the state and starts everything; the API answers once this returns.
  static Result<std::unique_ptr<Engine>> start(host::LinuxLoop& loop, EngineOptions options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::string& server() const;  // "https://127.0.0.1:6443"
  std::string kubeconfig(const std::string& context) const;
  // Ends containers, connections and files in order, then calls `done` (within about ten seconds).
  void stop(std::function<void()> done);

 private:
  struct Parts;
  explicit Engine(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace keelson::app
