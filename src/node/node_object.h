// What a node says of itself: the status of its Node object and its Lease. Pure. Texts of
// pkg/kubelet/nodestatus/setters.go.
#pragma once

#include <string>

#include "base/time.h"
#include "codec/value.h"

namespace keelson::node {

using codec::Value;

struct NodeFacts {
  std::string address;
  Value node_info = {};  // status.nodeInfo of this machine
  Value capacity = {};   // where the node does not declare one
  Value images = {};     // status.images
  int kubelet_port = 10250;
  bool ready = true;
};

// The complete status of a hosted node. Conditions keep their transition times where their status
// did not change; those that others own are kept. heartbeat: lastHeartbeatTime of all.
Value node_status(const Value& node, const NodeFacts& facts, Instant now);
// {"status": ...}; null if nothing but the heartbeat would change.
Value node_status_patch(const Value& node, const Value& status);
Value node_lease(const Value& node, Instant now);

// Resources of a node as its pool declares them (annotation keelson.dev/capacity), or the
// machine's.
Value node_capacity(const Value& node, const Value& machine);

}  // namespace keelson::node
