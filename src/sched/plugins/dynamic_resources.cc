// Claims are found and checked as Kubernetes' plugins/dynamicresources does; devices are not
// allocated: a pod with claims fits on no node, and says so.
#include "sched/plugins/dynamic_resources.h"

#include "base/text.h"
#include "model/meta.h"

namespace keelson::sched {
namespace {

constexpr std::string_view kImplicitPrefix = "deviceclass.resource.kubernetes.io/";

struct Claims : State {
  bool any = false;
};

// The claim's name; empty while a template's claim has not been made, "-" if none is needed.
std::string claim_name_of(const PodInfo& pod, const Value& reference) {
  if (!reference["resourceClaimName"].is_null()) return reference["resourceClaimName"].str();
  for (const Value& status : pod.pod["status"]["resourceClaimStatuses"].elements())
    if (status["name"] == reference["name"])
      return status["resourceClaimName"].is_null() ? "-" : status["resourceClaimName"].str();
  return {};
}

}  // namespace

Value device_class_of(const cluster::View& view, std::string_view resource) {
  if (resource.starts_with(kImplicitPrefix))
    return view.get("deviceclasses.resource.k8s.io", {}, resource.substr(kImplicitPrefix.size()));
  for (const Value& device_class : view.list("deviceclasses.resource.k8s.io"))
    if (device_class["spec"]["extendedResourceName"].as_string() == resource) return device_class;
  return {};
}

Status DynamicResources::pre_enqueue(const cluster::View& view, const PodInfo& pod) const {
  for (const Value& reference : pod.spec()["resourceClaims"].elements()) {
    const std::string name = claim_name_of(pod, reference);
    if (name == "-") continue;
    if (name.empty())
      return Status::unresolvable("pod " + quote(pod.key()) + ": ResourceClaim not created yet");
    const Value claim = view.get("resourceclaims.resource.k8s.io", pod.namespace_, name);
    if (claim.is_null())
      return Status::unresolvable("could not find ResourceClaim " +
                                  quote(pod.namespace_ + "/" + name));
    if (model::is_deleting(claim))
      return Status::unresolvable("resourceclaim " + quote(name) + " is being deleted");
  }
  return {};
}

Status DynamicResources::pre_filter(const Cycle& cycle, PreFilter& out) const {
  auto state = std::make_shared<Claims>();
  state->any = !cycle.pod.spec()["resourceClaims"].empty();
  for (const auto& [name, amount] : Resources::of(pod_requests(cycle.pod.pod, {})).scalars)
    if (amount > 0 && !device_class_of(cycle.view, name).is_null()) state->any = true;
  const bool any = state->any;
  out.state = std::move(state);
  return any ? Status{} : Status::skip();
}

Status DynamicResources::filter(const Cycle&, const State*, const NodeInfo&) const {
  return Status::unresolvable("cannot allocate all claims");
}

Status DynamicResources::post_filter(const Cycle&, const State* state) const {
  if (!state) return Status::error("not found");
  return Status::unschedulable(static_cast<const Claims*>(state)->any
                                   ? "still not schedulable"
                                   : "no new claims to deallocate");
}

bool DynamicResources::may_help(const PodInfo& pod, const Change& change) const {
  if (change.resource == "pods") return change.after["metadata"]["uid"].as_string() == pod.uid;
  return change.resource == "nodes" || change.resource.ends_with(".resource.k8s.io");
}

}  // namespace keelson::sched
