// Taints as Kubernetes' plugins/tainttoleration.
#include "sched/plugins/taint_toleration.h"

#include "sched/tolerations.h"

namespace keelson::sched {

Status TaintToleration::filter(const Cycle& cycle, const State*, const NodeInfo& node) const {
  if (!untolerated_taint(node.taints(), cycle.pod.spec()["tolerations"])) return {};
  return Status::unresolvable("node(s) had untolerated taint(s)");
}

std::int64_t TaintToleration::score(const Cycle& cycle, const State*, const NodeInfo& node) const {
  return soft_taints_untolerated(node.taints(), cycle.pod.spec()["tolerations"]);
}

bool TaintToleration::may_help(const PodInfo& pod, const Change& change) const {
  if (change.resource == "pods") return change.after["metadata"]["uid"].as_string() == pod.uid;
  if (change.resource != "nodes" || change.removed()) return false;
  const Value& tolerations = pod.spec()["tolerations"];
  if (untolerated_taint(parse_taints(change.after), tolerations)) return false;
  return change.created() || untolerated_taint(parse_taints(change.before), tolerations);
}

}  // namespace keelson::sched
