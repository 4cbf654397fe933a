// The Deployment controller: one ReplicaSet per pod template, moved from old to new as the strategy
// says, with revisions to go back to. It acts on ReplicaSets only; pods it merely looks at.
// Behaviour: pkg/controller/deployment of Kubernetes 1.36.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "control/common/claims.h"
#include "control/common/pods.h"
#include "control/common/script.h"

namespace keelson::control {

using ReplicaSets = std::vector<Value>;

// All that one sync decides on.
struct DeploymentInputs {
  Value deployment;
  ReplicaSets replica_sets;  // owned ones and orphans of the namespace
  // Pods by the uid of their ReplicaSet; only a Recreate rollout looks at them.
  std::map<std::string, Pods, std::less<>> pods;
  // What has the name that a new ReplicaSet would get; null if the view shows nothing.
  Value occupant;
  Instant now;
};

// Of the ReplicaSet for the present template and collision count.
std::string new_replica_set_name(const Value& deployment);

Result<void> sync_deployment(const DeploymentInputs& inputs, Script& script);

class DeploymentController : public cluster::Controller {
 public:
  std::string_view name() const override { return "deployment-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  std::vector<cluster::Key> keys_of_replica_set(const cluster::View& view, const Value& before,
                                                const Value& after) const;
  // Whether a sync that ended so is to be tried again; it gives up after 15 failures in a row.
  Result<void> limit_retries(const cluster::Key& key, Result<void> end);

  mutable Orphans orphans_{"replicasets.apps"};  // fed by the watch, which is const
  std::map<cluster::Key, int> failures_;         // in a row
};

}  // namespace keelson::control
