// Cordoning as Kubernetes' plugins/nodeunschedulable.
#include "sched/plugins/node_unschedulable.h"

#include <algorithm>

#include "sched/tolerations.h"

namespace keelson::sched {
namespace {
bool tolerates_cordon(const PodInfo& pod) {
  const Taint cordon{"node.kubernetes.io/unschedulable", "", "NoSchedule"};
  const auto& tolerations = pod.spec()["tolerations"].elements();
  return std::any_of(tolerations.begin(), tolerations.end(),
                     [&](const Value& toleration) { return tolerates(toleration, cordon); });
}
}  // namespace

Status NodeUnschedulable::filter(const Cycle& cycle, const State*, const NodeInfo& node) const {
  if (!node.unschedulable() || tolerates_cordon(cycle.pod)) return {};
  return Status::unresolvable("node(s) were unschedulable");
}

bool NodeUnschedulable::may_help(const PodInfo& pod, const Change& change) const {
  if (change.resource == "pods") return change.after["metadata"]["uid"].as_string() == pod.uid;
  return change.resource == "nodes" && !change.removed() &&
         !change.after["spec"]["unschedulable"].as_bool();
}

}  // namespace keelson::sched
