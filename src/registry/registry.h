// Registry: the single write path. HTTP and controllers alike go through execute(), so that
// decoding, defaulting, admission, validation, field ownership, generation and finalizers are the
// same for both. What it keeps true: every object in the store is valid, stored in its kind's
// storage version, and every write is one transaction at one revision.
//
// Single-threaded: every call is made on the core's loop. It must not know HTTP, connections or
// durability: a caller holds its answer back until the store has made Response::revision durable.
//
//   Request request{.verb = Verb::create, .version = "v1", .resource = "pods", .namespace_ = "a"};
//   request.body = codec::JsonDocument{pod};
//   Result<Response> response = registry.execute(request);
//
// An Error maps to a Status (status_of), word for word as Kubernetes answers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/prng.h"
#include "base/result.h"
#include "base/time.h"
#include "cluster/cluster.h"
#include "registry/request.h"
#include "registry/webhooks/exchange.h"

namespace keelson::store {
class Store;
}
namespace keelson::model {
class TypeTable;
}

namespace keelson::registry {

// A question to the authorizer, for decisions inside the write path: RBAC escalation, the approval
// of certificates, PUT that creates.
struct Access {
  std::string verb, group, version, resource, subresource, namespace_, name;
  std::string path = {};  // of a non-resource request
};
struct Verdict {
  bool allowed = false;
  std::string reason;
};

// What a user may do in a namespace, as far as it can be said in rules of RBAC; `errors` are texts
// about roles that could not be found.
struct HeldRules {
  std::vector<Value> rules;
  std::vector<std::string> errors;
};

// What the registry asks of the outside. All members but now and rng are optional.
struct Environment {
  std::function<Instant()> now;
  Prng* rng = nullptr;
  // Empty: everything is allowed.
  std::function<Verdict(const Identity&, const Access&)> authorize;
  // Empty: roles may grant anything.
  std::function<HeldRules(const Identity&, std::string_view namespace_)> rules;
  // Kinds that are computed, not stored (SubjectAccessReview, TokenReview, TokenRequest ...): gets
  // the request with its body decoded and defaulted, answers the object with its status.
  std::function<Result<Value>(const Request&, const Value& object)> compute;
  // Empty: webhooks cannot be called; a request that needs one fails.
  WebhookPost call_webhook;
  // Runs a call on the loop in a turn of its own. Empty: work of any length is done at once.
  std::function<void(std::function<void()>)> post = {};
};

// One watch. Events come in order of revision; bookmarks where asked for.
class Watcher {
 public:
  virtual ~Watcher() = default;  // ends it
  // Up to `max` events that have happened and were not yet taken. An error event is the last one.
  virtual std::vector<WatchEvent> take(std::size_t max) = 0;
  // Called, on the loop, after events came to a watcher that had none. Not called from within
  // take().
  virtual void on_ready(std::function<void()> call) = 0;
  // A bookmark of the present revision with the next take(), if the client allows bookmarks.
  virtual void request_bookmark() = 0;
};

struct Settings {
  std::string service_range = "10.96.0.0/16";
  int node_port_first = 30000, node_port_last = 32767;
  std::string advertise_address = "127.0.0.1";  // of the kubernetes Service's endpoint
  int advertise_port = 6443;
  bool own_kinds = true;  // the definitions of keelson.dev exist from the start
  // What the ConfigMap kube-system/extension-apiserver-authentication tells API servers that extend
  // this one: whose client certificates and proxy headers to trust. Empty: there is none.
  std::map<std::string, std::string> authentication = {};
};

class Registry {
 public:
  Registry(store::Store& store, Environment environment, Settings settings = {});
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Writes what a fresh server contains, or whatever of it is missing; reads CRDs and allocations
  // of a store that has been used. Call once, before everything else.
  Result<void> start();

  // Every verb but watch. Where webhooks have to be asked it fails: use the other.
  Result<Response> execute(const Request& request);
  // The same, at once or later: what webhooks say is waited for, while other requests go on.
  // `done` is not called once the registry is gone.
  void execute(Request request, std::function<void(Result<Response>)> done);
  // A request with verb watch. An Error is answered as a Status instead of a stream. It begins with
  // what is durable: a caller for whom it must not be behind waits for read_revision() first.
  Result<std::unique_ptr<Watcher>> watch(const Request& request);
  // The write of a controller: the object as it is afterwards (null once it is gone).
  Result<Value> commit(const cluster::Write& write, const Identity& identity);
  void commit(const cluster::Write& write, const Identity& identity,
              std::function<void(Result<Value>)> done);

  // Direct reads for controllers: the object in its storage version, null if there is none.
  // `resource` as in cluster.h: "deployments.apps".
  Value get(std::string_view resource, std::string_view namespace_, std::string_view name) const;
  std::vector<Value> list(std::string_view resource, std::string_view namespace_ = {}) const;
  std::int64_t revision() const;
  // The revision from which get and list are answered at present, errors included: a caller holds
  // an Error back until this is durable, as a Response until its own.
  std::int64_t read_revision() const;

  // API servers behind APIServices. `call` is told, at once, of each whose Service has endpoints
  // and that should therefore be asked, whenever anything about it changed; the names may be of
  // ones that are gone by then. Empty: nobody is told any more.
  void follow_remote_apis(std::function<void(const std::string& api_service)> call);
  // What came of asking: the condition Available is written if it changes anything. Nothing is
  // written where the Service has no endpoints any more.
  void report_remote_api(const std::string& api_service, const Result<void>& asked);

  // Discovery changes (CRDs, APIServices): counts up with every change of what is served.
  std::int64_t served_generation() const;
  // What is served right now, custom resources included. Ask again after served_generation changed.
  const model::TypeTable& types() const;

  struct State;  // internal to this room

 private:
  struct Execution;
  void run(const std::shared_ptr<Execution>& execution);

  std::unique_ptr<State> state_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

// metav1.Status of a failure, and its HTTP code.
Value status_of(const Error& error);
int code_of(const Error& error);

}  // namespace keelson::registry
