// What the Deployment controller watches, and the gathering of a sync's inputs.
#include <algorithm>

#include "control/deployment/deployment_sync.h"

namespace keelson::control {
namespace {

constexpr int kRetriesMax = 15;

constexpr OwnerKind kOwner{rollout::kDeployments, "Deployment"};

Pods pods_of(const cluster::View& view, const Value& replica_set) {
  Pods pods = view.owned_by("pods", model::uid_of(replica_set));
  std::erase_if(pods, [&](const Value& pod) {
    return !model::is_controlled_by(pod, model::uid_of(replica_set));
  });
  return pods;
}

bool is_recreate(const Value& deployment) {
  return deployment.at("spec.strategy.type").as_string() == "Recreate";
}

// A Recreate rollout goes on when the last pod of a Deployment is gone; other pods are of no
// interest.
std::vector<cluster::Key> keys_of_pod(const cluster::View& view, const Value& before,
                                      const Value& after) {
  if (!after.is_null()) return {};
  const Value replica_set = resolve_controller(view, rollout::kReplicaSets, "ReplicaSet", before);
  if (replica_set.is_null()) return {};
  const Value deployment = resolve_controller(view, kOwner.resource, kOwner.kind, replica_set);
  if (deployment.is_null() || !is_recreate(deployment)) return {};
  for (const Value& sibling : view.owned_by(rollout::kReplicaSets, model::uid_of(deployment)))
    if (model::is_controlled_by(sibling, model::uid_of(deployment)) &&
        !pods_of(view, sibling).empty())
      return {};
  return {key_of(deployment)};
}

}  // namespace

std::vector<cluster::Key> DeploymentController::keys_of_replica_set(const cluster::View& view,
                                                                    const Value& before,
                                                                    const Value& after) const {
  orphans_.observe(before, after);
  return concerned(view, kOwner, before, after, Departure::when_removed);
}

std::vector<cluster::Watch> DeploymentController::watches() const {
  return {cluster::watch_self(std::string(rollout::kDeployments)),
          {std::string(rollout::kReplicaSets),
           [this](const cluster::View& view, const Value& before, const Value& after) {
             return keys_of_replica_set(view, before, after);
           }},
          {"pods", keys_of_pod}};
}

Result<void> DeploymentController::limit_retries(const cluster::Key& key, Result<void> end) {
  if (!end.ok() && !namespace_is_terminating(end.error()) && failures_[key]++ < kRetriesMax)
    return end;
  failures_.erase(key);
  return {};
}

cluster::Plan DeploymentController::reconcile(const cluster::Sync& sync) {
  DeploymentInputs inputs;
  inputs.deployment = sync.view.get(rollout::kDeployments, sync.key.namespace_, sync.key.name);
  if (inputs.deployment.is_null()) {
    failures_.erase(sync.key);
    return {};
  }
  inputs.replica_sets =
      owned_and_orphans(sync.view, rollout::kReplicaSets, orphans_, inputs.deployment);
  if (is_recreate(inputs.deployment))
    for (const Value& replica_set : inputs.replica_sets)
      inputs.pods[std::string(model::uid_of(replica_set))] = pods_of(sync.view, replica_set);
  inputs.occupant = sync.view.get(rollout::kReplicaSets, sync.key.namespace_,
                                  new_replica_set_name(inputs.deployment));
  inputs.now = sync.now;
  return Script::run([this, inputs = std::move(inputs), key = sync.key](Script& script) {
    Result<void> end = sync_deployment(inputs, script);
    return script.waiting() ? end : limit_retries(key, std::move(end));
  });
}

}  // namespace keelson::control
