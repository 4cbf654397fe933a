#include "runtime/work_queue.h"

#include <algorithm>

namespace keelson::runtime {

Duration backoff_after(int failures) {
  Duration delay = kBackoffFirst;
  for (int i = 0; i < failures && delay < kBackoffMax; ++i) delay = delay * 2;
  return std::min(delay, kBackoffMax);
}

void WorkQueue::add(const Key& key) {
  if (!wanted_.insert(key).second) return;
  if (in_work_.count(key) == 0) ready_.push_back(key);
}

void WorkQueue::add_at(const Key& key, Instant when) {
  auto known = delays_.find(key);
  if (known != delays_.end()) {
    if (known->second.when <= when) return;
    delayed_.erase(known->second);
  }
  Due due{when, sequence_++};
  delays_[key] = due;
  delayed_.emplace(due, key);
}

void WorkQueue::add_after_failure(const Key& key, Instant now) {
  add_at(key, now + backoff_after(failures_[key]++));
}

void WorkQueue::release(Instant now) {
  while (!delayed_.empty() && delayed_.begin()->first.when <= now) {
    auto node = delayed_.extract(delayed_.begin());
    delays_.erase(node.mapped());
    add(node.mapped());
  }
}

std::optional<Instant> WorkQueue::next_release() const {
  if (delayed_.empty()) return std::nullopt;
  return delayed_.begin()->first.when;
}

std::optional<Key> WorkQueue::take() {
  if (ready_.empty()) return std::nullopt;
  Key key = std::move(ready_.front());
  ready_.pop_front();
  wanted_.erase(key);
  in_work_.insert(key);
  return key;
}

void WorkQueue::done(const Key& key) {
  in_work_.erase(key);
  if (wanted_.count(key) != 0) ready_.push_back(key);
}

}  // namespace keelson::runtime
