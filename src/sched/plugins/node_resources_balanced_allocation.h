// NodeResourcesBalancedAllocation: prefers the node whose use of cpu and memory the pod makes more
// even.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class NodeResourcesBalancedAllocation : public Plugin {
 public:
  std::string_view name() const override { return "NodeResourcesBalancedAllocation"; }
  Status pre_score(const Cycle& cycle, std::span<const NodeInfo* const> nodes,
                   std::shared_ptr<State>& state) const override;
  std::int64_t score(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
};

}  // namespace keelson::sched
