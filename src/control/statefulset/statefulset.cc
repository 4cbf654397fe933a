// What the StatefulSet controller watches, and the gathering of a sync's inputs.
#include "control/statefulset/statefulset.h"

#include "control/statefulset/identity.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace {

constexpr std::string_view kResource = "statefulsets.apps";

// Those that might adopt the pod. An empty selector selects nothing here.
std::vector<cluster::Key> selecting(const cluster::View& view, const Value& pod) {
  std::vector<cluster::Key> keys;
  if (model::labels_of(pod).empty()) return keys;
  for (const Value& set : view.list(kResource, model::namespace_of(pod))) {
    const auto selector = model::LabelSelector::of(set["spec"]["selector"]);
    if (selector.ok() && !selector->matches_everything() &&
        selector->matches(model::labels_of(pod)))
      keys.push_back(key_of(set));
  }
  return keys;
}

}  // namespace

std::vector<cluster::Key> StatefulSetController::keys_of_pod(const cluster::View& view,
                                                             const Value& before,
                                                             const Value& after) const {
  orphan_pods_.observe(before, after);
  std::vector<cluster::Key> keys;
  const auto add_owner_of = [&](const Value& pod) {
    if (const Value owner = resolve_controller(view, kResource, "StatefulSet", pod);
        !owner.is_null())
      keys.push_back(key_of(owner));
  };
  if (after.is_null()) {
    add_owner_of(before);
    return keys;
  }
  const bool owner_changed =
      !before.is_null() && model::controller_of(before) != model::controller_of(after);
  if (owner_changed) add_owner_of(before);
  if (!model::controller_of(after).is_null()) {
    add_owner_of(after);
  } else if ((before.is_null() && !model::is_deleting(after)) || owner_changed ||
             (!before.is_null() && model::labels_of(before) != model::labels_of(after))) {
    for (cluster::Key& key : selecting(view, after)) keys.push_back(std::move(key));
  }
  return keys;
}

std::vector<cluster::Watch> StatefulSetController::watches() const {
  return {cluster::watch_self(std::string(kResource)),
          {"pods", [this](const cluster::View& view, const Value& before,
                          const Value& after) { return keys_of_pod(view, before, after); }},
          // Claims and revisions wake nobody; revisions without an owner are remembered.
          {std::string(kRevisionsResource),
           [this](const cluster::View&, const Value& before, const Value& after) {
             orphan_revisions_.observe(before, after);
             return std::vector<cluster::Key>{};
           }},
          {"persistentvolumeclaims", [](const cluster::View&, const Value&, const Value&) {
             return std::vector<cluster::Key>{};
           }}};
}

cluster::Plan StatefulSetController::reconcile(const cluster::Sync& sync) {
  StatefulSetInputs inputs;
  inputs.set = sync.view.get(kResource, sync.key.namespace_, sync.key.name);
  if (inputs.set.is_null()) return {};
  inputs.pods = owned_and_orphans(sync.view, "pods", orphan_pods_, inputs.set);
  inputs.revisions = revisions_of(sync.view, orphan_revisions_, inputs.set);
  const auto add_claims = [&](std::int64_t ordinal) {
    for (const Value& claim_template : inputs.set["spec"]["volumeClaimTemplates"].elements()) {
      std::string name = stateful::claim_name(inputs.set, claim_template, ordinal);
      Value found = sync.view.get("persistentvolumeclaims", sync.key.namespace_, name);
      if (!found.is_null()) inputs.volume_claims[std::move(name)] = std::move(found);
    }
  };
  const std::int64_t start = stateful::start_ordinal(inputs.set);
  for (std::int64_t i = 0; i < inputs.set["spec"]["replicas"].as_int(1); ++i) add_claims(start + i);
  for (const Value& pod : inputs.pods) add_claims(stateful::ordinal_of(pod));
  inputs.now = sync.now;
  return Script::run(
      [inputs = std::move(inputs)](Script& script) { return sync_stateful_set(inputs, script); });
}

}  // namespace keelson::control
