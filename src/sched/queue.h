// Queue: the pods that wait for a node. Each is in one place: active (to be tried), backing off,
// in the pool of those that did not fit (until a change may help), gated, or in flight (popped,
// outcome unknown). Order and times are those of Kubernetes' scheduling queue with default
// settings: higher priority first, then who came first; back-off of 1 s doubling to 10 s; whoever
// stays in the pool for 5 minutes is tried again. When nothing is active, a pod that backs off
// after not fitting is taken early.
//
// It knows no clock: changes carry no time, so moved pods are sorted in at the next pop.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/time.h"
#include "sched/profile.h"

namespace keelson::sched {

class Queue {
 public:
  explicit Queue(const Profile& profile = default_profile()) : profile_(profile) {}

  // The pod is new, or has changed. A change of its status alone does not make it worth a try.
  void set(const cluster::View& view, const PodPointer& pod);
  void remove(const std::string& uid);
  // Something changed in the cluster: pods in the pool that it may help leave it. `change` must be
  // worth looking at (see is_relevant).
  void on_change(const cluster::View& view, const Change& change);

  // The pod to try next, now in flight; null if there is none at this time.
  PodPointer pop(Instant now);
  // It did not fit; `plugins` said no.
  void put_unschedulable(const std::string& uid, std::vector<std::string> plugins, Instant now);
  // The attempt failed; it is tried again after its back-off.
  void put_failed(const std::string& uid, Instant now);

  // When pop may have something; nullopt: not before a change.
  std::optional<Instant> next_time(Instant now) const;
  // pop may have something right now, without regard to time.
  bool ready() const { return !active_.empty() || !moved_.empty(); }
  PodPointer find(const std::string& uid) const;
  std::size_t size() const { return entries_.size(); }

 private:
  enum class Place : std::uint8_t { gated, active, moved, backing_off, pool, in_flight };
  struct Entry {
    PodPointer pod;
    Place place = Place::active;
    std::int64_t attempts = 0;
    std::uint64_t sequence = 0;  // rises with each entry into the queue
    std::vector<std::string> plugins = {};
    bool failed = false;   // by an error, not by not fitting
    bool changed = false;  // while in flight: something happened that may help
    Instant until = {};    // end of the back-off
    Instant since = {};    // time of the last attempt
  };
  using ActiveKey = std::tuple<std::int64_t, std::uint64_t, std::string>;  // -priority ...
  using TimeKey = std::tuple<Instant, std::int64_t, std::uint64_t, std::string>;

  ActiveKey active_key(const Entry& entry) const;
  TimeKey time_key(const Entry& entry, Instant time) const;
  void take_out(Entry& entry);
  void place(Entry& entry, Place place);
  void settle(Instant now);
  bool worth_moving(const Entry& entry, const Change& change) const;
  void put_back(const std::string& uid, Instant now);

  const Profile& profile_;
  std::map<std::string, Entry, std::less<>> entries_;  // by uid
  std::set<ActiveKey> active_;
  std::set<TimeKey> backing_off_, pool_;
  std::set<std::string> moved_, gated_;  // uids
  std::uint64_t sequence_ = 0;
};

// Whether an update touched anything that scheduling depends on; heartbeats and most status
// updates do not.
bool is_relevant(const Change& change);

}  // namespace keelson::sched
