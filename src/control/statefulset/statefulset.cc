// What the StatefulSet controller watches, and the gathering of a sync's inputs.
#include "control/statefulset/statefulset.h"

#include "control/statefulset/identity.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace {

constexpr std::string_view kResource = "statefulsets.apps";

constexpr OwnerKind kOwner{kResource, "StatefulSet"};

}  // namespace

std::vector<cluster::Key> StatefulSetController::keys_of_pod(const cluster::View& view,
                                                             const Value& before,
                                                             const Value& after) const {
  orphan_pods_.observe(before, after);
  return concerned(view, kOwner, before, after, Departure::when_removed);
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
