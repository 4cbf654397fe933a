// NodeAffinity: spec.nodeSelector and node affinity, required and preferred. Required terms that
// all name nodes narrow the search to those nodes.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class NodeAffinity : public Plugin {
 public:
  std::string_view name() const override { return "NodeAffinity"; }
  Status pre_filter(const Cycle& cycle, PreFilter& out) const override;
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  Status pre_score(const Cycle& cycle, std::span<const NodeInfo* const> nodes,
                   std::shared_ptr<State>& state) const override;
  std::int64_t score(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  void normalize(const Cycle&, const State*, std::span<const NodeInfo* const>,
                 std::span<std::int64_t> scores) const override {
    normalize_by_max(scores, false);
  }
  bool may_help(const PodInfo& pod, const Change& change) const override;
};

}  // namespace keelson::sched
