// EventRecorder: turns what controllers report into Events, keeping their number small as
// Kubernetes' recorders do.
//
// A note without an action is recorded as client-go's tools/record does: equal ones raise `count`,
// ten different messages within ten minutes become "(combined from similar events)", and a source
// gets 25 events for one object and then one in 300 s. A note with an action is recorded as
// tools/events does (the scheduler): repeats become a series.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "cluster/cluster.h"

namespace keelson::runtime {

// A map that forgets what was used least recently.
template <typename T>
class RecentMap {
 public:
  explicit RecentMap(std::size_t size_max) : size_max_(size_max) {}
  T* find(const std::string& key) {
    auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    items_.splice(items_.begin(), items_, found->second);
    return &found->second->second;
  }
  T& at(const std::string& key) {
    if (T* found = find(key)) return *found;
    items_.emplace_front(key, T());
    index_[key] = items_.begin();
    if (items_.size() > size_max_) {
      index_.erase(items_.back().first);
      items_.pop_back();
    }
    return items_.front().second;
  }

 private:
  std::size_t size_max_;
  std::list<std::pair<std::string, T>> items_;
  std::map<std::string, typename std::list<std::pair<std::string, T>>::iterator> index_;
};

class EventRecorder {
 public:
  using Commit =
      std::function<Result<cluster::Value>(std::string_view component, const cluster::Write&)>;
  explicit EventRecorder(Commit commit);

  // `reporter` is a component ("deployment-controller"), or component and host ("kubelet/n1").
  // `regarding` is an object, or a core/v1 ObjectReference (with fieldPath).
  void note(const cluster::EventNote& note, const std::string& reporter, Instant now);

  // Series end when they have been quiet for six minutes; call every kSweepTime while needed.
  static constexpr Duration kSweepTime = Duration::minutes(6);
  void sweep(Instant now);
  bool needs_sweep() const { return !series_.empty(); }

 private:
  struct Observation {
    std::int64_t count = 0;
    cluster::Value event;
  };
  struct Aggregate {
    std::set<std::string> messages;
    Instant last;
  };
  struct Spam {
    bool known = false;
    Duration credit;
    Instant last;
  };
  struct Series {
    cluster::Value event;
    std::int64_t count = 1, count_written = 1;
    Instant last, written;
  };
  void record(cluster::Value event, const std::string& reporter, Instant now);
  void record_series(cluster::Value event, const std::string& reporter, Instant now);
  void write_series(Series& series, Instant now);
  bool is_spam(const std::string& key, Instant now);
  void create(const std::string& reporter, const cluster::Value& event);
  Result<cluster::Value> patch(const std::string& reporter, const cluster::Value& event,
                               cluster::Value change);
  std::string name_for(const cluster::Value& reference, Instant now);

  Commit commit_;
  RecentMap<Aggregate> aggregates_;
  RecentMap<Observation> observations_;
  RecentMap<Spam> spam_;
  std::map<std::string, Series> series_;
  std::int64_t stamp_last_ = 0;
};

}  // namespace keelson::runtime
