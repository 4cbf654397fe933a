// VolumeRestrictions: disks that one node may attach only once, and claims that only one pod in
// the cluster may use (ReadWriteOncePod).
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class VolumeRestrictions : public Plugin {
 public:
  std::string_view name() const override { return "VolumeRestrictions"; }
  Status pre_filter(const Cycle& cycle, PreFilter& out) const override;
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  void pod_added(const Cycle& cycle, State* state, const PodInfo& pod,
                 const NodeInfo& node) const override;
  void pod_removed(const Cycle& cycle, State* state, const PodInfo& pod,
                   const NodeInfo& node) const override;
  bool may_help(const PodInfo& pod, const Change& change) const override;
};

}  // namespace keelson::sched
