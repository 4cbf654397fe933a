#include "control/autoscale/hpa_limits.h"

#include <algorithm>
#include <cmath>

namespace keelson::control {
namespace {

using codec::Value;

constexpr std::string_view kWithinRange = "the desired count is within the acceptable range";

std::int32_t cut(double value) {
  if (!(value > -2147483649.0 && value < 2147483648.0)) return INT32_MIN;
  return static_cast<std::int32_t>(value);
}
std::int32_t wrap(std::int64_t value) {
  return static_cast<std::int32_t>(value);
}

// Puts the recommendation where an old one stood, or at the end.
void remember(HpaMemory& memory, std::ptrdiff_t old, std::int32_t replicas, Instant now) {
  const HpaMemory::Recommendation entry{replicas, now};
  if (old >= 0)
    memory.recommendations[static_cast<std::size_t>(old)] = entry;
  else
    memory.recommendations.push_back(entry);
}

Limited limit_plainly(std::int32_t current, std::int32_t recommended, std::int32_t min,
                      std::int32_t max, HpaMemory& memory, Duration window, Instant now) {
  Limited result;
  std::int32_t stabilized = recommended;
  std::ptrdiff_t old = -1;
  for (std::size_t i = 0; i < memory.recommendations.size(); ++i) {
    const auto& entry = memory.recommendations[i];
    if (entry.at < now - window)
      old = static_cast<std::ptrdiff_t>(i);
    else
      stabilized = std::max(stabilized, entry.replicas);
  }
  remember(memory, old, recommended, now);
  if (stabilized != recommended) {
    result.able_reason = "ScaleDownStabilized";
    result.able_message =
        "recent recommendations were higher than current one, applying the highest recent "
        "recommendation";
  } else {
    result.able_reason = "ReadyForNewScale";
    result.able_message = "recommended size matches current size";
  }
  const std::int32_t up_limit = cut(std::max(2.0 * static_cast<double>(current), 4.0));
  const bool by_rate = max > up_limit;
  const std::int32_t highest = by_rate ? up_limit : max;
  result.replicas = stabilized;
  result.limit_reason = "DesiredWithinRange";
  result.limit_message = kWithinRange;
  if (stabilized < min) {
    result.replicas = min;
    result.limit_reason = "TooFewReplicas";
    result.limit_message = "the desired replica count is less than the minimum replica count";
  } else if (stabilized > highest) {
    result.replicas = highest;
    result.limit_reason = by_rate ? "ScaleUpLimit" : "TooManyReplicas";
    result.limit_message =
        by_rate ? "the desired replica count is increasing faster than the maximum scale rate"
                : "the desired replica count is more than the maximum replica count";
  }
  result.limited = result.replicas != stabilized;
  return result;
}

std::int32_t changed_within(std::int64_t seconds, const std::vector<HpaMemory::ScaleEvent>& events,
                            Instant now) {
  std::int32_t total = 0;
  for (const auto& event : events)
    if (event.at > now - Duration::seconds(seconds))
      total = wrap(static_cast<std::int64_t>(total) + event.change);
  return total;
}

// The count that the policies of one direction allow.
std::int32_t policy_limit(const Value& rules, bool up, std::int32_t current,
                          const HpaMemory& memory, Instant now) {
  const std::string_view select = rules["selectPolicy"].as_string();
  if (select == "Disabled") return current;
  const bool least_change = select == "Min";
  const bool want_low = up == least_change;  // the lowest proposal wins
  std::int32_t result = want_low ? INT32_MAX : INT32_MIN;
  for (const Value& policy : rules["policies"].elements()) {
    const std::int64_t period = policy["periodSeconds"].as_int();
    const std::int32_t start =
        wrap(static_cast<std::int64_t>(current) - changed_within(period, memory.ups, now) +
             changed_within(period, memory.downs, now));
    const std::int64_t value = policy["value"].as_int();
    std::int32_t proposed = 0;
    if (policy["type"].as_string() == "Pods") {
      proposed = wrap(up ? start + value : start - value);
    } else if (up) {
      // Rounded up, or a small count would never grow.
      proposed =
          cut(std::ceil(static_cast<double>(start) * (1 + static_cast<double>(value) / 100)));
    } else {
      proposed = cut(static_cast<double>(start) * (1 - static_cast<double>(value) / 100));
    }
    result = want_low ? std::min(result, proposed) : std::max(result, proposed);
  }
  return result;
}

std::int32_t stabilize(const Value& behavior, std::int32_t current, std::int32_t recommended,
                       HpaMemory& memory, const HpaOptions& options, Instant now) {
  const Instant up_cutoff =
      now - Duration::seconds(behavior["scaleUp"]["stabilizationWindowSeconds"].as_int());
  const Instant down_cutoff =
      now - Duration::seconds(behavior["scaleDown"]["stabilizationWindowSeconds"].as_int(
                options.downscale_stabilization.count_seconds()));
  std::int32_t lowest = recommended, highest = recommended;
  std::ptrdiff_t old = -1;
  for (std::size_t i = 0; i < memory.recommendations.size(); ++i) {
    const auto& entry = memory.recommendations[i];
    if (entry.at > up_cutoff) lowest = std::min(lowest, entry.replicas);
    if (entry.at > down_cutoff) highest = std::max(highest, entry.replicas);
    if (entry.at < up_cutoff && entry.at < down_cutoff) old = static_cast<std::ptrdiff_t>(i);
  }
  remember(memory, old, recommended, now);
  return std::min(std::max(current, lowest), highest);
}

Limited limit_by_behavior(const Value& behavior, std::int32_t current, std::int32_t recommended,
                          std::int32_t min, std::int32_t max, HpaMemory& memory,
                          const HpaOptions& options, Instant now) {
  Limited result;
  const std::int32_t stabilized = stabilize(behavior, current, recommended, memory, options, now);
  if (stabilized == recommended) {
    result.able_reason = "ReadyForNewScale";
    result.able_message = "recommended size matches current size";
  } else if (recommended >= current) {
    result.able_reason = "ScaleUpStabilized";
    result.able_message =
        "recent recommendations were lower than current one, applying the lowest recent "
        "recommendation";
  } else {
    result.able_reason = "ScaleDownStabilized";
    result.able_message =
        "recent recommendations were higher than current one, applying the highest recent "
        "recommendation";
  }
  result.replicas = stabilized;
  result.limit_reason = "DesiredWithinRange";
  result.limit_message = kWithinRange;
  if (stabilized > current) {
    const std::int32_t rate =
        std::max(current, policy_limit(behavior["scaleUp"], true, current, memory, now));
    if (stabilized > std::min(max, rate)) {
      result.replicas = std::min(max, rate);
      result.limit_reason = max > rate ? "ScaleUpLimit" : "TooManyReplicas";
      result.limit_message =
          max > rate ? "the desired replica count is increasing faster than the maximum scale rate"
                     : "the desired replica count is more than the maximum replica count";
    }
  } else if (stabilized < current) {
    const std::int32_t rate =
        std::min(current, policy_limit(behavior["scaleDown"], false, current, memory, now));
    if (stabilized < std::max(min, rate)) {
      result.replicas = std::max(min, rate);
      result.limit_reason = min < rate ? "ScaleDownLimit" : "TooFewReplicas";
      result.limit_message =
          min < rate ? "the desired replica count is decreasing faster than the maximum scale rate"
                     : "the desired replica count is less than the minimum replica count";
    }
  }
  result.limited = result.replicas != stabilized;
  return result;
}

}  // namespace

Limited limit_replicas(const Value& spec, std::int32_t current, std::int32_t recommended,
                       std::int32_t min, HpaMemory& memory, const HpaOptions& options,
                       Instant now) {
  const auto max = static_cast<std::int32_t>(spec["maxReplicas"].as_int());
  if (spec["behavior"].is_null())
    return limit_plainly(current, recommended, min, max, memory, options.downscale_stabilization,
                         now);
  return limit_by_behavior(spec["behavior"], current, recommended, min, max, memory, options, now);
}

void remember_scaling(const Value& behavior, std::int32_t before, std::int32_t after,
                      HpaMemory& memory, Instant now) {
  if (behavior.is_null()) return;
  const bool up = after > before;
  auto& events = up ? memory.ups : memory.downs;
  std::int64_t longest = 0;
  for (const Value& policy : behavior[up ? "scaleUp" : "scaleDown"]["policies"].elements())
    longest = std::max(longest, policy["periodSeconds"].as_int());
  HpaMemory::ScaleEvent* old = nullptr;
  for (auto& event : events) {
    if (event.at < now - Duration::seconds(longest)) event.outdated = true;
    if (event.outdated) old = &event;
  }
  const HpaMemory::ScaleEvent fresh{up ? after - before : before - after, now, false};
  if (old != nullptr)
    *old = fresh;
  else
    events.push_back(fresh);
}

}  // namespace keelson::control
