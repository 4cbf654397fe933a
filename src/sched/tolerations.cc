// Matching of tolerations: an empty key, effect or operator is the widest meaning.
#include "sched/tolerations.h"

#include <algorithm>

namespace keelson::sched {

bool tolerates(const Value& toleration, const Taint& taint) {
  const std::string_view effect = toleration["effect"].as_string();
  const std::string_view key = toleration["key"].as_string();
  if (!effect.empty() && effect != taint.effect) return false;
  if (!key.empty() && key != taint.key) return false;
  const std::string_view op = toleration["operator"].as_string();
  if (op == "Exists") return true;
  if (op.empty() || op == "Equal") return toleration["value"].as_string() == taint.value;
  return false;
}

const Taint* untolerated_taint(const std::vector<Taint>& taints, const Value& tolerations) {
  for (const Taint& taint : taints) {
    if (taint.effect != "NoSchedule" && taint.effect != "NoExecute") continue;
    const auto& list = tolerations.elements();
    if (std::none_of(list.begin(), list.end(),
                     [&](const Value& toleration) { return tolerates(toleration, taint); }))
      return &taint;
  }
  return nullptr;
}

std::int64_t soft_taints_untolerated(const std::vector<Taint>& taints, const Value& tolerations) {
  std::int64_t count = 0;
  for (const Taint& taint : taints) {
    if (taint.effect != "PreferNoSchedule") continue;
    const auto& list = tolerations.elements();
    if (std::none_of(list.begin(), list.end(), [&](const Value& toleration) {
          const std::string_view effect = toleration["effect"].as_string();
          return (effect.empty() || effect == "PreferNoSchedule") && tolerates(toleration, taint);
        }))
      ++count;
  }
  return count;
}

}  // namespace keelson::sched
