// What the DaemonSet controller watches, and the gathering of a sync's inputs.
#include "control/daemonset/daemonset.h"

#include <algorithm>

#include "control/common/templates.h"
#include "control/daemonset/placement.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace {

constexpr std::string_view kResource = "daemonsets.apps";

constexpr OwnerKind kOwner{kResource, "DaemonSet"};

// A node that is new, or fits other sets than before. Its removal starts nothing.
std::vector<cluster::Key> keys_of_node(const cluster::View& view, const Value& before,
                                       const Value& after) {
  std::vector<cluster::Key> keys;
  if (after.is_null()) return keys;
  if (!before.is_null() && same_content(model::labels_of(before), model::labels_of(after)) &&
      same_content(before["spec"]["taints"], after["spec"]["taints"]))
    return keys;
  for (const Value& set : view.list(kResource)) {
    const daemon::Fit fits = daemon::Placement(set).fit(after);
    const std::vector<Value> pods = view.owned_by("pods", model::uid_of(set));
    const bool scheduled = std::any_of(pods.begin(), pods.end(), [&](const Value& pod) {
      return pod["spec"]["nodeName"].as_string() == model::name_of(after);
    });
    if ((fits.should_run && !scheduled) || (!fits.may_stay && scheduled) ||
        (scheduled && set["status"]["numberMisscheduled"].as_int() > 0))
      keys.push_back(key_of(set));
  }
  return keys;
}

}  // namespace

std::vector<cluster::Key> DaemonSetController::keys_of_pod(const cluster::View& view,
                                                           const Value& before,
                                                           const Value& after) const {
  orphan_pods_.observe(before, after);
  expectations_.observe(after);
  if (!before.is_null() && !after.is_null() && !model::pod_is_ready(before) &&
      model::pod_is_ready(after))
    if (const Value owner = resolve_controller(view, kResource, kOwner.kind, after);
        !owner.is_null())
      became_ready_.insert(key_of(owner));
  return concerned(view, kOwner, before, after, Departure::when_asked);
}

std::vector<cluster::Key> DaemonSetController::keys_of_revision(const cluster::View& view,
                                                                const Value& before,
                                                                const Value& after) const {
  orphan_revisions_.observe(before, after);
  // A new revision of its own tells a set nothing.
  if (before.is_null() && !model::controller_of(after).is_null()) return {};
  return concerned(view, kOwner, before, after, Departure::when_asked);
}

std::vector<cluster::Watch> DaemonSetController::watches() const {
  return {cluster::watch_self(std::string(kResource)),
          {std::string(kRevisionsResource),
           [this](const cluster::View& view, const Value& before, const Value& after) {
             return keys_of_revision(view, before, after);
           }},
          {"pods", [this](const cluster::View& view, const Value& before,
                          const Value& after) { return keys_of_pod(view, before, after); }},
          {"nodes", keys_of_node}};
}

cluster::Plan DaemonSetController::reconcile(const cluster::Sync& sync) {
  DaemonSetInputs inputs;
  inputs.set = sync.view.get(kResource, sync.key.namespace_, sync.key.name);
  if (inputs.set.is_null()) {
    expectations_.forget(sync.key);
    became_ready_.erase(sync.key);
    std::erase_if(delays_, [&](const auto& entry) {
      return sync.view.owned_by("pods", entry.first).empty();
    });
    return {};
  }
  inputs.nodes = sync.view.list("nodes");
  inputs.pods = owned_and_orphans(sync.view, "pods", orphan_pods_, inputs.set);
  inputs.revisions =
      owned_and_orphans(sync.view, kRevisionsResource, orphan_revisions_, inputs.set);
  order_by_number(inputs.revisions);
  const std::string uid(model::uid_of(inputs.set));
  const std::int64_t generation = inputs.set["status"]["observedGeneration"].as_int();
  if (const auto at = delays_.find(uid); at != delays_.end() && at->second.generation == generation)
    inputs.delays = at->second.by_node;
  inputs.may_manage = expectations_.satisfied(sync.key, sync.view, sync.now);
  inputs.became_ready = became_ready_.erase(sync.key) > 0;
  inputs.now = sync.now;
  return Script::run(
      [this, inputs = std::move(inputs), key = sync.key, uid, generation](Script& script) {
        DaemonSetOutcome outcome;
        Result<void> end = sync_daemon_set(inputs, script, outcome);
        if (script.waiting()) return end;
        for (const Value& pod : outcome.created) expectations_.created(key, pod, inputs.now);
        for (const Value& pod : outcome.deleted) expectations_.deleted(key, pod, inputs.now);
        if (outcome.delays.empty())
          delays_.erase(uid);
        else
          delays_[uid] = {generation, std::move(outcome.delays)};
        return end;
      });
}

}  // namespace keelson::control
