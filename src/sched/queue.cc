// Places and moves.
#include "sched/queue.h"

#include <algorithm>

#include "base/check.h"
#include "sched/decide.h"

namespace keelson::sched {
namespace {

constexpr Duration kBackoffFirst = Duration::seconds(1);
constexpr Duration kBackoffMax = Duration::seconds(10);
constexpr Duration kPoolMax = Duration::minutes(5);

Duration backoff_of(std::int64_t attempts) {
  Duration duration = kBackoffFirst;
  for (std::int64_t i = 1; i < attempts && duration < kBackoffMax; ++i) duration = duration * 2;
  return std::min(duration, kBackoffMax);
}

bool differs(const Change& change, std::string_view path) {
  const Value& before = change.before.at(path);
  const Value& after = change.after.at(path);
  return !before.same_node(after) && !(before == after);
}

}  // namespace

bool is_relevant(const Change& change) {
  if (change.created() || change.removed()) return true;
  static constexpr std::string_view kPodPaths[] = {"spec",
                                                   "metadata.labels",
                                                   "metadata.deletionTimestamp",
                                                   "status.resources",
                                                   "status.containerStatuses",
                                                   "status.resourceClaimStatuses"};
  static constexpr std::string_view kNodePaths[] = {"spec", "metadata.labels",
                                                    "metadata.annotations", "status.allocatable",
                                                    "status.declaredFeatures"};
  const auto any = [&](const auto& paths) {
    return std::any_of(std::begin(paths), std::end(paths),
                       [&](std::string_view path) { return differs(change, path); });
  };
  if (change.resource == "pods") return any(kPodPaths);
  if (change.resource == "nodes") return any(kNodePaths);
  return true;
}

Queue::ActiveKey Queue::active_key(const Entry& entry) const {
  return {-entry.pod->priority, entry.sequence, entry.pod->uid};
}

Queue::TimeKey Queue::time_key(const Entry& entry, Instant time) const {
  // Within one second of back-off the more important pod goes first.
  return {time, -entry.pod->priority, entry.sequence, entry.pod->uid};
}

void Queue::take_out(Entry& entry) {
  switch (entry.place) {
    case Place::active: active_.erase(active_key(entry)); break;
    case Place::backing_off:
      backing_off_.erase(time_key(entry, entry.until.floor_seconds()));
      break;
    case Place::pool: pool_.erase(time_key(entry, entry.since)); break;
    case Place::moved: moved_.erase(entry.pod->uid); break;
    case Place::gated: gated_.erase(entry.pod->uid); break;
    case Place::in_flight: break;
  }
}

void Queue::place(Entry& entry, Place place) {
  take_out(entry);
  entry.place = place;
  switch (place) {
    case Place::active: active_.insert(active_key(entry)); break;
    case Place::backing_off:
      backing_off_.insert(time_key(entry, entry.until.floor_seconds()));
      break;
    case Place::pool: pool_.insert(time_key(entry, entry.since)); break;
    case Place::moved: moved_.insert(entry.pod->uid); break;
    case Place::gated: gated_.insert(entry.pod->uid); break;
    case Place::in_flight: break;
  }
}

void Queue::set(const cluster::View& view, const PodPointer& pod) {
  const auto it = entries_.find(pod->uid);
  if (it == entries_.end()) {
    Entry& entry = entries_[pod->uid];
    entry.pod = pod;
    entry.place = Place::in_flight;
    entry.sequence = ++sequence_;
    place(entry, pre_enqueue(view, *pod, profile_).ok() ? Place::active : Place::gated);
    return;
  }
  Entry& entry = it->second;
  const Value before = entry.pod->pod;
  const Place was = entry.place;
  take_out(entry);  // the place's key may depend on the pod
  entry.place = Place::in_flight;
  entry.pod = pod;
  place(entry, was);
  if (was == Place::gated) {
    if (pre_enqueue(view, *pod, profile_).ok()) place(entry, Place::active);
    return;
  }
  const Change change{"pods", before, pod->pod};
  if (!is_relevant(change) || !worth_moving(entry, change)) return;
  if (was == Place::pool) place(entry, Place::moved);
  if (was == Place::in_flight) entry.changed = true;
}

void Queue::remove(const std::string& uid) {
  const auto it = entries_.find(uid);
  if (it == entries_.end()) return;
  take_out(it->second);
  entries_.erase(it);
}

bool Queue::worth_moving(const Entry& entry, const Change& change) const {
  // Turned down by nobody in particular (no nodes, an error): every change is worth a try.
  if (entry.plugins.empty()) return true;
  return std::any_of(entry.plugins.begin(), entry.plugins.end(), [&](const std::string& name) {
    const Plugin* plugin = find_plugin(profile_, name);
    return plugin && plugin->may_help(*entry.pod, change);
  });
}

void Queue::on_change(const cluster::View& view, const Change& change) {
  std::vector<Entry*> helped;
  for (const TimeKey& key : pool_) {
    Entry& entry = entries_.find(std::get<3>(key))->second;
    if (worth_moving(entry, change)) helped.push_back(&entry);
  }
  for (Entry* entry : helped) place(*entry, Place::moved);
  // Only what gates look at beside the pod itself.
  if (gated_.empty() || !change.resource.ends_with(".resource.k8s.io")) return;
  for (const std::string& uid : std::set<std::string>(gated_)) {
    Entry& entry = entries_.find(uid)->second;
    if (pre_enqueue(view, *entry.pod, profile_).ok()) place(entry, Place::active);
  }
}

void Queue::settle(Instant now) {
  while (!pool_.empty() && std::get<0>(*pool_.begin()) + kPoolMax <= now)
    place(entries_.find(std::get<3>(*pool_.begin()))->second, Place::moved);
  for (const std::string& uid : std::set<std::string>(moved_)) {
    Entry& entry = entries_.find(uid)->second;
    place(entry, entry.until <= now ? Place::active : Place::backing_off);
  }
  std::vector<Entry*> due;
  for (const TimeKey& key : backing_off_) {
    if (std::get<0>(key) > now) break;
    Entry& entry = entries_.find(std::get<3>(key))->second;
    if (entry.until <= now) due.push_back(&entry);
  }
  for (Entry* entry : due) place(*entry, Place::active);
}

PodPointer Queue::pop(Instant now) {
  settle(now);
  Entry* next = nullptr;
  if (!active_.empty()) {
    next = &entries_.find(std::get<2>(*active_.begin()))->second;
  } else {
    for (const TimeKey& key : backing_off_) {
      Entry& entry = entries_.find(std::get<3>(key))->second;
      if (entry.failed) continue;
      next = &entry;
      break;
    }
  }
  if (!next) return nullptr;
  place(*next, Place::in_flight);
  next->changed = false;
  next->failed = false;
  ++next->attempts;
  return next->pod;
}

void Queue::put_back(const std::string& uid, Instant now) {
  Entry& entry = entries_.find(uid)->second;
  KEELSON_CHECK(entry.place == Place::in_flight);
  entry.sequence = ++sequence_;
  entry.since = now;
  entry.until = now + backoff_of(entry.attempts);
}

void Queue::put_unschedulable(const std::string& uid, std::vector<std::string> plugins,
                              Instant now) {
  if (!entries_.contains(uid)) return;
  put_back(uid, now);
  Entry& entry = entries_.find(uid)->second;
  entry.plugins = std::move(plugins);
  place(entry, entry.changed ? Place::moved : Place::pool);
}

void Queue::put_failed(const std::string& uid, Instant now) {
  if (!entries_.contains(uid)) return;
  put_back(uid, now);
  Entry& entry = entries_.find(uid)->second;
  entry.plugins.clear();
  entry.failed = true;
  place(entry, Place::backing_off);
}

std::optional<Instant> Queue::next_time(Instant now) const {
  if (!active_.empty() || !moved_.empty()) return now;
  std::optional<Instant> next;
  const auto consider = [&](Instant time) {
    if (!next || time < *next) next = time;
  };
  for (const TimeKey& key : backing_off_) {
    const Entry& entry = entries_.find(std::get<3>(key))->second;
    if (!entry.failed) return now;
    consider(entry.until);
  }
  if (!pool_.empty()) consider(std::get<0>(*pool_.begin()) + kPoolMax);
  return next;
}

PodPointer Queue::find(const std::string& uid) const {
  const auto it = entries_.find(uid);
  return it == entries_.end() ? nullptr : it->second.pod;
}

}  // namespace keelson::sched
