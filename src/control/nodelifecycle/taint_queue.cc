#include "control/nodelifecycle/taint_queue.h"

#include <algorithm>

namespace keelson::control {

bool TaintQueue::add(const std::string& node, Instant now) {
  if (!known_.insert(node).second) return false;
  queue_.push_back({node, now});
  return true;
}

bool TaintQueue::remove(const std::string& node) {
  std::erase_if(queue_, [&](const Entry& entry) { return entry.node == node; });
  return known_.erase(node) > 0;
}

bool TaintQueue::take_token(Instant now) {
  if (never_) return false;
  const double waited = filled_.is_zero() ? 0 : (now - filled_).to_seconds();
  const double tokens = std::min(1.0, tokens_ + waited * rate_);
  // What is missing is waited for in whole nanoseconds.
  if (tokens < 1 && (rate_ <= 0 || (1 - tokens) / rate_ * 1e9 >= 1)) return false;
  tokens_ = std::max(0.0, tokens - 1);
  filled_ = now;
  return true;
}

void TaintQueue::set_rate(double rate, Instant now) {
  if (!never_ && static_cast<float>(rate) == rate_) return;
  // Whoever was waiting goes on waiting: the new bucket begins empty then.
  const bool had_token = take_token(now);
  never_ = rate <= 0;
  rate_ = static_cast<float>(rate);
  tokens_ = had_token ? 1 : 0;
  filled_ = now;
}

void TaintQueue::run(Instant now, const std::function<bool(const std::string&)>& taint) {
  while (!queue_.empty()) {
    const auto first = std::min_element(
        queue_.begin(), queue_.end(), [](const Entry& a, const Entry& b) { return a.due < b.due; });
    if (!take_token(now) || now < first->due) return;
    if (taint(first->node))
      queue_.erase(first);
    else
      first->due = now + Duration::nanoseconds(1);
  }
}

}  // namespace keelson::control
