// Workqueue: the keys that one controller has to look at, in the order in which they came up, each
// once; delayed keys and the back-off of failures. The order of a recording depends on it.
// Behaviour: client-go's util/workqueue with the default rate limiter, without its bucket.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "cluster/cluster.h"

namespace keelson::sim::golden {

class Workqueue {
 public:
  bool empty() const { return queue_.empty(); }
  void add(const cluster::Key& key) {
    if (queued_.insert(key).second) queue_.push_back(key);
  }
  // Of two delays the earlier stays.
  void add_at(const cluster::Key& key, Instant when) {
    const auto [at, fresh] = delayed_.try_emplace(key, when);
    if (!fresh && when < at->second) at->second = when;
  }
  void add_after_failure(const cluster::Key& key, Instant now) {
    const int failures = failures_[key]++;
    const Duration longest = Duration::seconds(1000);
    const Duration delay = failures > 17 ? longest : Duration::milliseconds(5) * (1LL << failures);
    add_at(key, now + std::min(delay, longest));
  }
  void forget_failures(const cluster::Key& key) { failures_.erase(key); }
  std::optional<Instant> next_delayed() const {
    std::optional<Instant> next;
    for (const auto& [key, at] : delayed_) next = next ? std::min(*next, at) : at;
    return next;
  }
  void take_delayed(Instant now) {
    while (true) {
      const auto next =
          std::min_element(delayed_.begin(), delayed_.end(),
                           [](const auto& a, const auto& b) { return a.second < b.second; });
      if (next == delayed_.end() || next->second > now) return;
      add(next->first);
      delayed_.erase(next);
    }
  }
  cluster::Key pop() {
    cluster::Key key = queue_.front();
    queue_.pop_front();
    queued_.erase(key);
    return key;
  }

 private:
  std::deque<cluster::Key> queue_;
  std::set<cluster::Key> queued_;
  std::map<cluster::Key, Instant> delayed_;
  std::map<cluster::Key, int> failures_;
};

}  // namespace keelson::sim::golden
