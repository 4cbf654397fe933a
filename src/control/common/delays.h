// Delays: when a controller wants its keys, where the manager's queue is not enough: changes that
// wait to be worked on together, and a back-off of the controller's own. Each key is wanted at the
// earliest of its times; a sync takes that time away.
//
//   watch:      delays_.wish(key, Duration::seconds(1));
//   reconcile:  if (delays_.take(sync.key, sync.now)) ... ; plan.wake_at = delays_.due(sync.key);
//
// Behaviour: client-go's delaying, rate-limiting work queue.
#pragma once

#include <map>
#include <optional>

#include "cluster/cluster.h"

namespace keelson::control {

class Delays {
 public:
  Delays(Duration backoff_first, Duration backoff_max)
      : backoff_first_(backoff_first), backoff_max_(backoff_max) {}

  // From a watch, which has no clock: the delay counts from the next take(), which follows at once.
  void wish(const cluster::Key& key, Duration delay);
  // True if the key is to be synced now.
  bool take(const cluster::Key& key, Instant now);
  void add_at(const cluster::Key& key, Instant when);
  void failed(const cluster::Key& key, Instant now);  // and is wanted again after its back-off
  void succeeded(const cluster::Key& key);
  std::optional<Instant> due(const cluster::Key& key) const;
  void forget(const cluster::Key& key) { entries_.erase(key); }

 private:
  struct Entry {
    bool at_once = false;
    std::optional<Duration> later = {};
    std::optional<Instant> due = {};
    int failures = 0;
  };
  void tidy(const cluster::Key& key);

  Duration backoff_first_, backoff_max_;
  std::map<cluster::Key, Entry> entries_;
};

}  // namespace keelson::control
