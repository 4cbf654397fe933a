// Building of constraints as Kubernetes' plugins/podtopologyspread/common.go and
// plugins/helper/spread.go.
#include "sched/plugins/spread_constraints.h"

#include <algorithm>

#include "model/meta.h"
#include "sched/tolerations.h"

namespace keelson::sched {
namespace {

// The requirements of the controller's selector.
std::optional<model::LabelSelector> owner_selector(const cluster::View& view, const PodInfo& pod,
                                                   Value& labels) {
  const Value& owner = model::controller_of(pod.pod);
  const std::string_view version = owner["apiVersion"].as_string();
  const std::string_view kind = owner["kind"].as_string();
  const std::string_view name = owner["name"].as_string();
  Value controller;
  if (version == "v1" && kind == "ReplicationController") {
    const Value replication = view.get("replicationcontrollers", pod.namespace_, name);
    for (const codec::Member& member : replication["spec"]["selector"].members())
      labels.set(member.key(), member.value);
    return std::nullopt;
  }
  if (version == "apps/v1" && kind == "ReplicaSet")
    controller = view.get("replicasets.apps", pod.namespace_, name);
  else if (version == "apps/v1" && kind == "StatefulSet")
    controller = view.get("statefulsets.apps", pod.namespace_, name);
  if (controller.is_null()) return std::nullopt;
  auto selector = model::LabelSelector::of(controller["spec"]["selector"]);
  if (!selector.ok()) return std::nullopt;
  return std::move(selector).value();
}

}  // namespace

bool SpreadConstraint::selects(const Value& labels) const {
  for (const auto& [key, value] : equal_labels) {
    const Value* label = labels.find(key);
    if (!label || label->as_string() != value) return false;
  }
  return selector.matches(labels);
}

std::vector<std::int64_t> SpreadConstraint::count(const Snapshot& snapshot,
                                                  std::string_view ns) const {
  std::vector<std::int64_t> counts(snapshot.ids_end(), 0);
  if (selects_everything()) return counts;
  for (const auto& [key, group] : snapshot.pod_groups()) {
    const PodInfo& pod = *group.example;
    if (pod.deleting || pod.namespace_ != ns || !selects(pod.labels)) continue;
    for (const auto& [id, count] : group.nodes) counts[id] += count;
  }
  return counts;
}

bool SpreadConstraint::includes(const PodInfo& pod, const RequiredNodeAffinity& affinity,
                                const NodeInfo& node) const {
  if (honor_affinity && !affinity.matches(node)) return false;
  return !honor_taints || !untolerated_taint(node.taints(), pod.spec()["tolerations"]);
}

Result<std::vector<SpreadConstraint>> own_constraints(const PodInfo& pod, std::string_view action) {
  std::vector<SpreadConstraint> constraints;
  for (const Value& given : pod.spec()["topologySpreadConstraints"].elements()) {
    if (given["whenUnsatisfiable"].as_string() != action) continue;
    SpreadConstraint constraint;
    constraint.topology_key = given["topologyKey"].str();
    constraint.skew_max = given["maxSkew"].as_int();
    constraint.domains_min = given["minDomains"].as_int(1);
    TRY(constraint.selector, model::LabelSelector::of(given["labelSelector"]));
    // A selector of nothing stays so, whatever the keys say.
    if (!constraint.selector.matches_nothing())
      for (const Value& key : given["matchLabelKeys"].elements())
        if (const Value* label = pod.labels.find(key.as_string()))
          constraint.equal_labels.emplace_back(key.str(), label->str());
    constraint.honor_affinity = given["nodeAffinityPolicy"].as_string("Honor") == "Honor";
    constraint.honor_taints = given["nodeTaintsPolicy"].as_string() == "Honor";
    constraints.push_back(std::move(constraint));
  }
  return constraints;
}

std::vector<SpreadConstraint> default_constraints(const cluster::View& view, const PodInfo& pod) {
  Value labels = Value::object();
  for (const Value& service : view.list("services", pod.namespace_)) {
    const Value& selector = service["spec"]["selector"];
    if (!selector.is_object() || !model::LabelSelector::of_map(selector).matches(pod.labels))
      continue;
    for (const codec::Member& member : selector.members()) labels.set(member.key(), member.value);
  }
  std::optional<model::LabelSelector> owned = owner_selector(view, pod, labels);
  SpreadConstraint constraint;
  constraint.selector = owned ? std::move(*owned) : model::LabelSelector();
  for (const codec::Member& member : labels.members())
    constraint.equal_labels.emplace_back(member.key(), member.value.as_string());
  if (constraint.selects_everything()) return {};
  std::vector<SpreadConstraint> constraints(2, constraint);
  constraints[0].topology_key = kHostnameLabel;
  constraints[0].skew_max = 3;
  constraints[1].topology_key = "topology.kubernetes.io/zone";
  constraints[1].skew_max = 5;
  return constraints;
}

bool has_all_labels(const NodeInfo& node, const std::vector<SpreadConstraint>& constraints) {
  return std::all_of(constraints.begin(), constraints.end(), [&](const SpreadConstraint& c) {
    return node.label(c.topology_key) != nullptr;
  });
}

}  // namespace keelson::sched
