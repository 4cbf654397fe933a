// Cluster: the one interface through which everything that acts reads and writes Kubernetes
// objects. It has three implementations (embedded, simulated, remote) and knows nothing of any of
// them.
//
// A resource is named as kubectl names it: "pods", "deployments.apps", "platforms.keelson.dev".
// Objects are values in the resource's storage version, complete with apiVersion and kind.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "base/result.h"
#include "base/time.h"
#include "codec/value.h"

namespace keelson::cluster {

using codec::Value;

struct Key {
  std::string namespace_, name;
  auto operator<=>(const Key&) const = default;
};

// What is known of the cluster at one moment. Lists are ordered by namespace and name.
class View {
 public:
  virtual ~View() = default;
  // Null if there is none.
  virtual Value get(std::string_view resource, std::string_view ns,
                    std::string_view name) const = 0;
  // An empty namespace lists all.
  virtual std::vector<Value> list(std::string_view resource, std::string_view ns = {}) const = 0;
  // Objects with an ownerReference to this uid, in any namespace.
  virtual std::vector<Value> owned_by(std::string_view resource, std::string_view uid) const = 0;
};

// One change of one object.
struct Write {
  enum class Verb : std::uint8_t {
    create,       // object
    update,       // object; its resourceVersion, if set, must still be current
    merge_patch,  // object is an RFC 7396 patch of name
    apply,        // object is an apply configuration; field_manager, force
    remove,
  };
  Verb verb = Verb::create;
  std::string resource, namespace_, name;  // name may be empty for create with generateName
  std::string subresource = {};            // "status", "scale", "binding", "eviction"
  Value object = {};
  std::string field_manager = {};
  bool force = false;
  // Preconditions of remove and merge_patch; empty means none.
  std::string uid = {}, revision = {};
  std::optional<std::int64_t> grace_seconds = {};
  std::string propagation = {};  // "Background", "Foreground", "Orphan"; empty: the kind's default
};

// What a controller reports about an object; the runtime aggregates it as Kubernetes' recorder
// does.
struct EventNote {
  Value regarding;  // the object
  bool warning = false;
  std::string reason, message;
  std::string action = {};
  std::string field_path = {};  // involvedObject.fieldPath: "spec.containers{web}"
};

// What a reconcile decided. The runtime commits the writes in order; a failed one does not stop
// those after it. Then `then`, if set, is called with one result per write and returns what to do
// next, from the same decision. Without `then`, a failed write requeues the key with back-off, as
// `error` does.
struct Plan {
  std::vector<Write> writes = {};
  std::vector<EventNote> events = {};
  std::optional<Instant> wake_at = {};  // reconcile this key again at that time
  std::string error = {};               // not empty: the sync failed; requeue with back-off
  std::function<Plan(std::vector<Result<Value>>)> then = {};
};

struct Sync {
  const View& view;
  const Key& key;
  Instant now;
  Prng& rng;
};

// Which keys to reconcile when an object of `resource` changes. before or after is null on creation
// and removal.
struct Watch {
  std::string resource;
  std::function<std::vector<Key>(const View&, const Value& before, const Value& after)> keys;
};
Watch watch_self(std::string resource);
// Keys of the controlling owner of this kind.
Watch watch_owned(std::string resource, std::string owner_kind);

// A controller decides in `reconcile`, which is synchronous and does no I/O. What it must remember
// between calls is a member; a new object is a restarted controller.
class Controller {
 public:
  virtual ~Controller() = default;
  virtual std::string_view name() const = 0;
  virtual std::vector<Watch> watches() const = 0;
  virtual Plan reconcile(const Sync& sync) = 0;
  // Called once when the controller starts with a complete view; keys to begin with besides those
  // of the watches (every object that exists is announced to the watches as created).
  virtual std::vector<Key> start(const View&) { return {}; }
};

// For the rooms that act at the edge (nodes, network): the view, plus writing, watching and time.
class Cluster : public View {
 public:
  // Calls `done` once, at once or later. done may be empty.
  virtual void commit(Write write, std::function<void(Result<Value>)> done) = 0;
  // Calls back on every change from now on, after first announcing what exists (before is null).
  // Lives as long as the returned handle.
  using OnChange = std::function<void(const Value& before, const Value& after)>;
  virtual std::shared_ptr<void> watch(std::string resource, OnChange on_change) = 0;
  virtual void note(EventNote event, std::string reporter) = 0;
  virtual Instant now() const = 0;
  virtual Prng& rng() = 0;
  // One call at or after that time; the handle cancels it when dropped.
  virtual std::shared_ptr<void> call_at(Instant when, std::function<void()> call) = 0;
};

}  // namespace keelson::cluster
