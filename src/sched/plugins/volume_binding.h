// VolumeBinding: the claims of the pod must be bound to volumes that the node reaches, or be
// bindable there (late binding).
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class VolumeBinding : public Plugin {
 public:
  std::string_view name() const override { return "VolumeBinding"; }
  Status pre_filter(const Cycle& cycle, PreFilter& out) const override;
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  bool may_help(const PodInfo& pod, const Change& change) const override;
};

}  // namespace keelson::sched
