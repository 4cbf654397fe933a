// DeviceAllocator: which devices serve a set of ResourceClaims on a node, found by trying devices
// in the order in which the ResourceSlices list them, as Kubernetes' structured allocator does.
// It covers exact counts, "All", alternatives (firstAvailable), selectors, taints, matchAttribute
// constraints and administrative access; shared capacity and partitions are not covered: such
// devices are given whole.
#pragma once

#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "cluster/cluster.h"
#include "sched/node_info.h"

namespace keelson::sched {

class DeviceAllocator {
 public:
  // Reads slices, classes and the allocations of all claims once.
  explicit DeviceAllocator(const cluster::View& view);

  // One status.allocation per claim, in order; nullopt if the node cannot serve them all together.
  // An error means that the question could not be answered (a selector that fails).
  Result<std::optional<std::vector<Value>>> allocate(const NodeInfo& node,
                                                     const std::vector<Value>& claims) const;

 private:
  using DeviceId = std::tuple<std::string, std::string, std::string>;  // driver, pool, name
  struct Device {
    DeviceId id;
    Value device;
    Value node_selector;  // null: of one node by name, or of all
    bool all_nodes = false;
  };
  struct Search;
  std::vector<Device> devices_near(const NodeInfo& node) const;

  const cluster::View& view_;
  std::vector<Value> slices_;  // of the newest generation of complete pools
  std::set<DeviceId> allocated_;
};

}  // namespace keelson::sched
