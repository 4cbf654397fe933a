// Taints against tolerations, with the comparison operators Lt and Gt off as they are by default.
#pragma once

#include <vector>

#include "codec/value.h"
#include "sched/node_info.h"

namespace keelson::sched {

// `toleration` is one of spec.tolerations.
bool tolerates(const Value& toleration, const Taint& taint);
// The first NoSchedule or NoExecute taint that no toleration covers, or null.
const Taint* untolerated_taint(const std::vector<Taint>& taints, const Value& tolerations);
// How many PreferNoSchedule taints no toleration covers; tolerations of other effects are left
// out.
std::int64_t soft_taints_untolerated(const std::vector<Taint>& taints, const Value& tolerations);

}  // namespace keelson::sched
