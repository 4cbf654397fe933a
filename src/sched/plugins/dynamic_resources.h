// DynamicResources: devices that pods ask for through ResourceClaims.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

// The DeviceClass that stands for an extended resource, by spec.extendedResourceName or by the
// implicit name "deviceclass.resource.kubernetes.io/NAME"; null if there is none.
Value device_class_of(const cluster::View& view, std::string_view resource);

// What binding a pod with claims to a node takes: the claims (as they are now) and the
// status.allocation that each is to get; null where it has one already.
struct ClaimAllocation {
  Value claim, allocation;
};
// nullopt: the node cannot serve the pod. `extended`: devices serve a plain resource request of the
// pod, for which no claim exists.
Result<std::optional<std::vector<ClaimAllocation>>> allocate_claims(const Cycle& cycle,
                                                                    const NodeInfo& node,
                                                                    bool& extended);

class DynamicResources : public Plugin {
 public:
  std::string_view name() const override { return "DynamicResources"; }
  Status pre_enqueue(const cluster::View& view, const PodInfo& pod) const override;
  Status pre_filter(const Cycle& cycle, PreFilter& out) const override;
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  Status post_filter(const Cycle& cycle, const State* state) const override;
  Status pre_score(const Cycle&, std::span<const NodeInfo* const>,
                   std::shared_ptr<State>&) const override {
    return {};  // it goes on with the state of the filters
  }
  std::int64_t score(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  void normalize(const Cycle&, const State*, std::span<const NodeInfo* const>,
                 std::span<std::int64_t> scores) const override {
    normalize_by_max(scores, false);
  }
  bool may_help(const PodInfo& pod, const Change& change) const override;
};

}  // namespace keelson::sched
