// WorkQueue: the keys that one controller has to reconcile, as client-go's rate limiting work queue
// keeps them: each key at most once, in order of arrival, never in work twice at a time; keys for
// later; per-key back-off. Pure: time is an argument.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>

#include "base/time.h"
#include "cluster/cluster.h"

namespace keelson::runtime {

using cluster::Key;

// client-go's ItemExponentialFailureRateLimiter with its defaults.
inline constexpr Duration kBackoffFirst = Duration::milliseconds(5);
inline constexpr Duration kBackoffMax = Duration::seconds(1000);
Duration backoff_after(int failures);  // failures before this one: 0 gives kBackoffFirst

class WorkQueue {
 public:
  void add(const Key& key);
  // At or after `when`; of several times for one key the earliest counts.
  void add_at(const Key& key, Instant when);
  void add_after_failure(const Key& key, Instant now);
  void forget_failures(const Key& key) { failures_.erase(key); }

  // Moves the keys whose time has come behind those that are ready.
  void release(Instant now);
  std::optional<Instant> next_release() const;

  // The key is in work until done(); if it is added meanwhile it is queued again then.
  std::optional<Key> take();
  void done(const Key& key);

  bool ready() const { return !ready_.empty(); }
  std::size_t depth() const { return ready_.size(); }
  std::size_t delayed() const { return delayed_.size(); }
  std::size_t in_work() const { return in_work_.size(); }
  std::size_t failing() const { return failures_.size(); }

 private:
  struct Due {
    Instant when;
    std::uint64_t sequence;
    auto operator<=>(const Due&) const = default;
  };
  std::deque<Key> ready_;
  std::set<Key> wanted_;  // in ready_, or added while in work
  std::set<Key> in_work_;
  std::map<Due, Key> delayed_;
  std::map<Key, Due> delays_;
  std::uint64_t sequence_ = 0;
  std::map<Key, int> failures_;
};

}  // namespace keelson::runtime
