// Checks of claims before and on each node, as Kubernetes' plugins/volumebinding.
#include "sched/plugins/volume_binding.h"

#include "base/text.h"
#include "model/meta.h"
#include "sched/plugins/volume_claims.h"

namespace keelson::sched {
namespace {

struct Claims : State {
  PodClaims claims;
};

// Ok if the pod has claims that may be used; skip if it has none.
Status check_claims(const Cycle& cycle) {
  bool any = false;
  for (const Value& volume : cycle.pod.spec()["volumes"].elements()) {
    const std::string name = claim_name_of(cycle.pod, volume);
    if (name.empty()) continue;
    any = true;
    const bool ephemeral = volume["ephemeral"].is_object();
    const Value claim = cycle.view.get("persistentvolumeclaims", cycle.pod.namespace_, name);
    if (claim.is_null())
      return Status::unresolvable(ephemeral
                                      ? "waiting for ephemeral volume controller to create the "
                                        "persistentvolumeclaim " +
                                            quote(name)
                                      : "persistentvolumeclaim " + quote(name) + " not found");
    if (claim["status"]["phase"].as_string() == "Lost")
      return Status::unresolvable("persistentvolumeclaim " + quote(name) +
                                  " bound to non-existent persistentvolume " +
                                  quote(claim["spec"]["volumeName"].as_string()));
    if (model::is_deleting(claim))
      return Status::unresolvable("persistentvolumeclaim " + quote(name) + " is being deleted");
    if (!ephemeral) continue;
    if (auto mine = check_ephemeral(cycle.pod, claim); !mine.ok())
      return Status::unresolvable(mine.error().message);
  }
  return any ? Status{} : Status::skip();
}

}  // namespace

Status VolumeBinding::pre_filter(const Cycle& cycle, PreFilter& out) const {
  if (Status status = check_claims(cycle); !status.ok()) return status;
  auto claims = claims_of(cycle.view, cycle.pod);
  if (!claims.ok()) return Status::error(claims.error().message);
  if (!claims->immediate.empty())
    return Status::unresolvable("pod has unbound immediate PersistentVolumeClaims");
  auto state = std::make_shared<Claims>();
  state->claims = std::move(claims).value();
  out.state = std::move(state);
  return {};
}

Status VolumeBinding::filter(const Cycle& cycle, const State* state, const NodeInfo& node) const {
  auto volumes = find_volumes(cycle.view, static_cast<const Claims*>(state)->claims, node);
  if (!volumes.ok()) return Status::error(volumes.error().message);
  if (volumes->reasons.empty()) return {};
  return {Code::unresolvable, {}, volumes->reasons};
}

bool VolumeBinding::may_help(const PodInfo& pod, const Change& change) const {
  if (change.resource == "persistentvolumeclaims") {
    if (change.removed() || model::namespace_of(change.after) != pod.namespace_) return false;
    for (const Value& volume : pod.spec()["volumes"].elements())
      if (claim_name_of(pod, volume) == model::name_of(change.after)) return true;
    return false;
  }
  return !change.removed() &&
         (change.resource == "nodes" || change.resource == "persistentvolumes" ||
          change.resource.ends_with(".storage.k8s.io"));
}

}  // namespace keelson::sched
