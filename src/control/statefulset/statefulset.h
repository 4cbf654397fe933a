// The StatefulSet controller: pods with an ordinal, a name and claims of their own, made, updated
// and deleted in order (or, with the Parallel policy, together).
// Behaviour: pkg/controller/statefulset of Kubernetes 1.36 with default feature gates.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "control/common/claims.h"
#include "control/common/history.h"
#include "control/common/pods.h"
#include "control/common/script.h"

namespace keelson::control {

// All that one sync decides on. What the sync itself writes does not change it.
struct StatefulSetInputs {
  Value set;
  Pods pods;            // owned ones and orphans of the namespace
  Revisions revisions;  // in order; orphans too
  std::map<std::string, Value, std::less<>> volume_claims;  // by name, those of any ordinal in use
  Instant now;
};

Result<void> sync_stateful_set(const StatefulSetInputs& inputs, Script& script);

class StatefulSetController : public cluster::Controller {
 public:
  std::string_view name() const override { return "statefulset-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  std::vector<cluster::Key> keys_of_pod(const cluster::View& view, const Value& before,
                                        const Value& after) const;

  // Fed by the watches, which are const.
  mutable Orphans orphan_pods_{"pods"};
  mutable Orphans orphan_revisions_{"controllerrevisions.apps"};
};

}  // namespace keelson::control
