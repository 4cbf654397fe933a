// What stands between the metrics' recommendation and the replica count: stabilization windows,
// policies, bounds.
#pragma once

#include <string>

#include "control/autoscale/hpa_plan.h"

namespace keelson::control {

struct Limited {
  std::int32_t replicas = 0;
  std::string able_reason, able_message;  // condition AbleToScale (True)
  bool limited = false;                   // condition ScalingLimited
  std::string limit_reason, limit_message;
};

// spec: of the HPA; a behavior block in it is defaulted. Notes the recommendation in memory.
Limited limit_replicas(const codec::Value& spec, std::int32_t current, std::int32_t recommended,
                       std::int32_t min, HpaMemory& memory, const HpaOptions& options, Instant now);

// Notes that the scale was changed; only needed, and only kept, with a behavior block.
void remember_scaling(const codec::Value& behavior, std::int32_t before, std::int32_t after,
                      HpaMemory& memory, Instant now);

}  // namespace keelson::control
