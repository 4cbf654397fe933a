// Disruption budgets: the status of every PodDisruptionBudget says how many of its pods are
// healthy, how many must be, and so how many evictions are allowed now. The eviction subresource
// trusts that status; where it cannot be computed, it allows none. A pod whose eviction was
// announced (condition DisruptionTarget) and never came gets that condition taken back.
// Behaviour: pkg/controller/disruption of Kubernetes 1.36.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "control/common/kinds.h"
#include "control/common/pods.h"
#include "control/common/script.h"

namespace keelson::control {

// How many pods the controllers of a budget's pods are to have, all together.
struct ExpectedScale {
  std::int64_t pods = 0;
  bool unmanaged = false;  // some pods have no controller; they are not counted
};

struct DisruptionInputs {
  Value budget;
  Pods pods;  // those that its selector matches
  // Asked for only if the budget is a share of it, or a maximum; an Error is why it is unknown.
  Result<ExpectedScale> scale = ExpectedScale{};
  std::string selector_error = {};
  Instant now;
};

// Whether the count of pods that must be healthy follows from the scale of their controllers.
bool needs_scale(const Value& budget);
// The status of one budget.
Result<void> sync_budget(const DisruptionInputs& inputs, Script& script);

// When the DisruptionTarget condition of a pod is stale; nullopt: never, as it stands.
std::optional<Instant> disruption_stale_at(const Value& pod);

class DisruptionController : public cluster::Controller {
 public:
  // `kinds`: whose objects may control pods.
  explicit DisruptionController(std::vector<ObjectKind> kinds) : kinds_(std::move(kinds)) {}
  std::string_view name() const override { return "disruption-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  struct Scaled {
    std::string uid;
    std::int64_t replicas = 0;
  };
  std::vector<cluster::Key> keys_of_pod(const cluster::View& view, const Value& pod,
                                        bool gone) const;
  Result<std::optional<Scaled>> scale_of(const cluster::View& view, const Value& controller,
                                         std::string_view ns) const;
  Result<ExpectedScale> expected_scale(const cluster::View& view, const Pods& pods) const;
  cluster::Plan clean_pod(const cluster::Sync& sync) const;

  std::vector<ObjectKind> kinds_;
  // Events of pods that more than one budget selects; told with the next sync of the budget.
  mutable std::map<cluster::Key, std::vector<cluster::EventNote>> untold_;
};

}  // namespace keelson::control
