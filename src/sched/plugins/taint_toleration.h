// TaintToleration: hard taints rule a node out, soft ones cost score.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class TaintToleration : public Plugin {
 public:
  std::string_view name() const override { return "TaintToleration"; }
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  Status pre_score(const Cycle&, std::span<const NodeInfo* const>,
                   std::shared_ptr<State>&) const override {
    return {};
  }
  std::int64_t score(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  void normalize(const Cycle&, const State*, std::span<const NodeInfo* const>,
                 std::span<std::int64_t> scores) const override {
    normalize_by_max(scores, true);
  }
  bool may_help(const PodInfo& pod, const Change& change) const override;
};

}  // namespace keelson::sched
