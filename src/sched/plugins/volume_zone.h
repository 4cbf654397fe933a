// VolumeZone: bound volumes that carry zone or region labels keep the pod to nodes of that zone.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class VolumeZone : public Plugin {
 public:
  std::string_view name() const override { return "VolumeZone"; }
  Status pre_filter(const Cycle& cycle, PreFilter& out) const override;
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  bool may_help(const PodInfo& pod, const Change& change) const override;
};

}  // namespace keelson::sched
