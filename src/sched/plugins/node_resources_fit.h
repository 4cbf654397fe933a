// NodeResourcesFit: what the pod asks for must be free; the emptier node scores higher
// (LeastAllocated over cpu and memory, weight 1 each).
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class NodeResourcesFit : public Plugin {
 public:
  std::string_view name() const override { return "NodeResourcesFit"; }
  Status pre_filter(const Cycle& cycle, PreFilter& out) const override;
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  Status pre_score(const Cycle& cycle, std::span<const NodeInfo* const> nodes,
                   std::shared_ptr<State>& state) const override;
  std::int64_t score(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  bool may_help(const PodInfo& pod, const Change& change) const override;
};

}  // namespace keelson::sched
