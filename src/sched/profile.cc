// The list of plug-ins.
#include "sched/profile.h"

#include <algorithm>

#include "sched/plugins/dynamic_resources.h"
#include "sched/plugins/image_locality.h"
#include "sched/plugins/inter_pod_affinity.h"
#include "sched/plugins/node_affinity.h"
#include "sched/plugins/node_declared_features.h"
#include "sched/plugins/node_name.h"
#include "sched/plugins/node_ports.h"
#include "sched/plugins/node_resources_balanced_allocation.h"
#include "sched/plugins/node_resources_fit.h"
#include "sched/plugins/node_unschedulable.h"
#include "sched/plugins/node_volume_limits.h"
#include "sched/plugins/pod_topology_spread.h"
#include "sched/plugins/scheduling_gates.h"
#include "sched/plugins/taint_toleration.h"
#include "sched/plugins/volume_binding.h"
#include "sched/plugins/volume_restrictions.h"
#include "sched/plugins/volume_zone.h"

namespace keelson::sched {

void normalize_by_max(std::span<std::int64_t> scores, bool reverse) {
  std::int64_t most = 0;
  for (const std::int64_t score : scores) most = std::max(most, score);
  for (std::int64_t& score : scores) {
    if (most > 0) score = kScoreMax * score / most;
    if (reverse) score = kScoreMax - score;
  }
}

const Profile& default_profile() {
  static const SchedulingGates gates;
  static const NodeUnschedulable unschedulable;
  static const NodeName node_name;
  static const TaintToleration taints;
  static const NodeAffinity node_affinity;
  static const NodePorts ports;
  static const NodeResourcesFit fit;
  static const VolumeRestrictions volume_restrictions;
  static const NodeVolumeLimits volume_limits;
  static const VolumeBinding volume_binding;
  static const VolumeZone volume_zone;
  static const PodTopologySpread spread;
  static const InterPodAffinity pod_affinity;
  static const DynamicResources devices;
  static const NodeDeclaredFeatures features;
  static const NodeResourcesBalancedAllocation balance;
  static const ImageLocality images;
  static const Profile profile{
      {&gates, &devices},
      {&unschedulable, &node_name, &taints, &node_affinity, &ports, &fit, &volume_restrictions,
       &volume_limits, &volume_binding, &volume_zone, &spread, &pod_affinity, &devices, &features},
      {{&taints, 3},
       {&node_affinity, 2},
       {&fit, 1},
       {&volume_binding, 1},
       {&spread, 2},
       {&pod_affinity, 2},
       {&devices, 2},
       {&balance, 1},
       {&images, 1}}};
  return profile;
}

const Plugin* find_plugin(const Profile& profile, std::string_view name) {
  for (const auto* list : {&profile.pre_enqueue, &profile.filters})
    for (const Plugin* plugin : *list)
      if (plugin->name() == name) return plugin;
  return nullptr;
}

}  // namespace keelson::sched
