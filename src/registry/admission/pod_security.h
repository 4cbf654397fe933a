// What a pod does that a level of the Pod Security Standards forbids. Pure; knows no namespaces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"

namespace keelson::registry::admission {

constexpr int kPodSecurityLatest = 1'000'000;

struct PodFinding {
  std::string reason, detail;  // "reason (detail)"
};

// `level` is "privileged" (nothing is forbidden), "baseline" or "restricted"; `version` the minor
// version of Kubernetes whose standards count. In the order of reports.
std::vector<PodFinding> pod_findings(const codec::Value& meta, const codec::Value& spec,
                                     std::string_view level, int version);

}  // namespace keelson::registry::admission
