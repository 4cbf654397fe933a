// See delays.h.
#include "control/common/delays.h"

#include <algorithm>
#include <utility>

namespace keelson::control {

void Delays::wish(const cluster::Key& key, Duration delay) {
  Entry& entry = entries_[key];
  if (delay <= Duration())
    entry.at_once = true;
  else
    entry.later = entry.later ? std::min(*entry.later, delay) : delay;
}

bool Delays::take(const cluster::Key& key, Instant now) {
  const auto at = entries_.find(key);
  if (at == entries_.end()) return false;
  Entry& entry = at->second;
  if (const auto later = std::exchange(entry.later, {})) add_at(key, now + *later);
  bool wanted = std::exchange(entry.at_once, false);
  if (entry.due && *entry.due <= now) {
    entry.due.reset();
    wanted = true;
  }
  tidy(key);
  return wanted;
}

void Delays::add_at(const cluster::Key& key, Instant when) {
  std::optional<Instant>& due = entries_[key].due;
  due = due ? std::min(*due, when) : when;
}

void Delays::failed(const cluster::Key& key, Instant now) {
  Duration delay = backoff_first_;
  int& failures = entries_[key].failures;
  for (int i = 0; i < failures && delay < backoff_max_; ++i) delay = delay * 2;
  ++failures;
  add_at(key, now + std::min(delay, backoff_max_));
}

void Delays::succeeded(const cluster::Key& key) {
  const auto at = entries_.find(key);
  if (at == entries_.end()) return;
  at->second.failures = 0;
  tidy(key);
}

std::optional<Instant> Delays::due(const cluster::Key& key) const {
  const auto at = entries_.find(key);
  return at == entries_.end() ? std::nullopt : at->second.due;
}

void Delays::tidy(const cluster::Key& key) {
  const auto at = entries_.find(key);
  const Entry& entry = at->second;
  if (!entry.at_once && !entry.later && !entry.due && entry.failures == 0) entries_.erase(at);
}

}  // namespace keelson::control
