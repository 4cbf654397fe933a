// NodeVolumeLimits: a CSI driver attaches at most so many volumes to a node as CSINode says.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class NodeVolumeLimits : public Plugin {
 public:
  std::string_view name() const override { return "NodeVolumeLimits"; }
  Status pre_filter(const Cycle& cycle, PreFilter& out) const override;
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  bool may_help(const PodInfo& pod, const Change& change) const override;
};

}  // namespace keelson::sched
