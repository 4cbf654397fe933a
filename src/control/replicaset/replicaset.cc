// What the ReplicaSet controller watches, and the gathering of a sync's inputs.
#include "control/replicaset/replicaset.h"

#include <algorithm>

#include "model/meta.h"

namespace keelson::control {
namespace {

// The pods that all ReplicaSets of the same controller select: they compete for nodes.
Pods related_pods(const cluster::View& view, const OwnerKind& kind, const Value& replica_set) {
  const Value& controller = model::controller_of(replica_set);
  Pods related;
  if (controller.is_null()) return related;
  std::vector<model::LabelSelector> selectors;
  for (const Value& other : view.owned_by(kind.resource, controller["uid"].as_string())) {
    if (!model::is_controlled_by(other, controller["uid"].as_string())) continue;
    auto selector = selector_of(kind, other);
    if (selector.ok()) selectors.push_back(std::move(*selector));
  }
  for (Value& pod : view.list("pods", model::namespace_of(replica_set)))
    if (std::any_of(selectors.begin(), selectors.end(), [&](const model::LabelSelector& s) {
          return s.matches(model::labels_of(pod));
        }))
      related.push_back(std::move(pod));
  return related;
}

}  // namespace

std::vector<cluster::Key> ReplicaSetController::keys_of_pod(const cluster::View& view,
                                                            const Value& before,
                                                            const Value& after) const {
  orphans_.observe(before, after);
  expectations_.observe(after);
  return concerned(view, kind_.owner, before, after, Departure::when_asked);
}

std::vector<cluster::Watch> ReplicaSetController::watches() const {
  return {cluster::watch_self(std::string(kind_.owner.resource)),
          {"pods", [this](const cluster::View& view, const Value& before, const Value& after) {
             return keys_of_pod(view, before, after);
           }}};
}

cluster::Plan ReplicaSetController::reconcile(const cluster::Sync& sync) {
  ReplicaSetInputs inputs;
  inputs.kind = kind_;
  inputs.replica_set = sync.view.get(kind_.owner.resource, sync.key.namespace_, sync.key.name);
  if (inputs.replica_set.is_null()) {
    expectations_.forget(sync.key);
    return {};
  }
  inputs.pods = owned_and_orphans(sync.view, "pods", orphans_, inputs.replica_set);
  const auto active = std::count_if(inputs.pods.begin(), inputs.pods.end(), pod_is_active);
  if (active > inputs.replica_set["spec"]["replicas"].as_int(1))
    inputs.related = related_pods(sync.view, kind_.owner, inputs.replica_set);
  inputs.may_manage = expectations_.satisfied(sync.key, sync.view, sync.now);
  inputs.now = sync.now;
  return Script::run([this, inputs = std::move(inputs), key = sync.key](Script& script) {
    ReplicaSetOutcome outcome;
    Result<void> end = sync_replica_set(inputs, script, outcome);
    if (script.waiting()) return end;
    for (const Value& pod : outcome.created) expectations_.created(key, pod, inputs.now);
    for (const Value& pod : outcome.deleted) expectations_.deleted(key, pod, inputs.now);
    return end;
  });
}

}  // namespace keelson::control
