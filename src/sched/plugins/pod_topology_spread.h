// PodTopologySpread: keeps the pods that a constraint selects even over the values of a node
// label. A pod without constraints of its own gets soft ones over hosts and zones, for the pods of
// its services and its controller.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class PodTopologySpread : public Plugin {
 public:
  std::string_view name() const override { return "PodTopologySpread"; }
  Status pre_filter(const Cycle& cycle, PreFilter& out) const override;
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  void pod_added(const Cycle& cycle, State* state, const PodInfo& pod,
                 const NodeInfo& node) const override;
  void pod_removed(const Cycle& cycle, State* state, const PodInfo& pod,
                   const NodeInfo& node) const override;
  Status pre_score(const Cycle& cycle, std::span<const NodeInfo* const> nodes,
                   std::shared_ptr<State>& state) const override;
  std::int64_t score(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  void normalize(const Cycle& cycle, const State* state, std::span<const NodeInfo* const> nodes,
                 std::span<std::int64_t> scores) const override;
  bool may_help(const PodInfo& pod, const Change& change) const override;
};

}  // namespace keelson::sched
