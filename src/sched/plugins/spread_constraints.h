// Topology spread constraints as the pod states them or as the system adds them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/cluster.h"
#include "model/selector.h"
#include "sched/node_selector.h"
#include "sched/pod_info.h"
#include "sched/snapshot.h"

namespace keelson::sched {

inline constexpr std::string_view kHostnameLabel = "kubernetes.io/hostname";

struct SpreadConstraint {
  std::string topology_key;
  std::int64_t skew_max = 1;
  std::int64_t domains_min = 1;
  model::LabelSelector selector;
  // Further labels of the pod itself that must be equal (matchLabelKeys).
  std::vector<std::pair<std::string, std::string>> equal_labels = {};
  bool honor_affinity = true;  // nodeAffinityPolicy
  bool honor_taints = false;   // nodeTaintsPolicy

  bool selects(const Value& labels) const;
  bool selects_everything() const { return equal_labels.empty() && selector.matches_everything(); }
  // How many pods of the namespace it selects on each node, by id; those being deleted don't
  // count, and a constraint that selects everything counts none.
  std::vector<std::int64_t> count(const Snapshot& snapshot, std::string_view ns) const;
  // Whether the node takes part at all.
  bool includes(const PodInfo& pod, const RequiredNodeAffinity& affinity,
                const NodeInfo& node) const;
};

// The pod's own constraints with this whenUnsatisfiable.
Result<std::vector<SpreadConstraint>> own_constraints(const PodInfo& pod, std::string_view action);
// The soft constraints that the system adds to a pod without any: none if nothing selects it.
std::vector<SpreadConstraint> default_constraints(const cluster::View& view, const PodInfo& pod);
bool has_all_labels(const NodeInfo& node, const std::vector<SpreadConstraint>& constraints);

}  // namespace keelson::sched
