// What the volume plug-ins share: claims of a pod, their classes, and the volumes that could serve
// them on a node. Rules as Kubernetes' plugins/volumebinding and component-helpers/storage.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/cluster.h"
#include "sched/node_info.h"

namespace keelson::sched {

inline constexpr std::string_view kSelectedNode = "volume.kubernetes.io/selected-node";
inline constexpr std::string_view kBindCompleted = "pv.kubernetes.io/bind-completed";

// The deprecated annotation wins over the field.
std::string class_of_claim(const Value& claim);
std::string class_of_volume(const Value& volume);
// The name of the claim behind a pod's volume: given, or generated for an ephemeral one; empty if
// the volume is neither.
std::string claim_name_of(const PodInfo& pod, const Value& volume);
// Whether the claim was made for this pod's ephemeral volume; if not, the error says so.
Result<void> check_ephemeral(const PodInfo& pod, const Value& claim);
bool fully_bound(const Value& claim);
bool volume_fits_node(const Value& volume, const NodeInfo& node);  // its node affinity

struct PodClaims {
  std::vector<Value> bound, immediate, delayed;
};
// Every claim of the pod; they must exist.
Result<PodClaims> claims_of(const cluster::View& view, const PodInfo& pod);

// What binding the pod's claims on one node takes.
struct PodVolumes {
  struct Match {
    Value claim, volume;
  };
  std::vector<Match> matches;        // claims that existing volumes serve
  std::vector<Value> provisions;     // claims that a volume is to be made for
  std::vector<std::string> reasons;  // why the node does not do; empty if it does
};
Result<PodVolumes> find_volumes(const cluster::View& view, const PodClaims& claims,
                                const NodeInfo& node);

}  // namespace keelson::sched
