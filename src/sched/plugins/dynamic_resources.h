// DynamicResources: devices that pods ask for through ResourceClaims.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

// The DeviceClass that stands for an extended resource, by spec.extendedResourceName or by the
// implicit name "deviceclass.resource.kubernetes.io/NAME"; null if there is none.
Value device_class_of(const cluster::View& view, std::string_view resource);

class DynamicResources : public Plugin {
 public:
  std::string_view name() const override { return "DynamicResources"; }
  Status pre_enqueue(const cluster::View& view, const PodInfo& pod) const override;
  Status pre_filter(const Cycle& cycle, PreFilter& out) const override;
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  Status post_filter(const Cycle& cycle, const State* state) const override;
  Status pre_score(const Cycle&, std::span<const NodeInfo* const>,
                   std::shared_ptr<State>&) const override {
    return {};
  }
  bool may_help(const PodInfo& pod, const Change& change) const override;
};

}  // namespace keelson::sched
