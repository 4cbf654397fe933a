// NodeName: a pod that names its node fits only there.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class NodeName : public Plugin {
 public:
  std::string_view name() const override { return "NodeName"; }
  Status filter(const Cycle& cycle, const State*, const NodeInfo& node) const override {
    const std::string_view wanted = cycle.pod.node_name();
    if (wanted.empty() || wanted == node.name()) return {};
    return Status::unresolvable("node(s) didn't match the requested node name");
  }
  bool may_help(const PodInfo&, const Change& change) const override {
    return change.resource == "nodes" && change.created();
  }
};

}  // namespace keelson::sched
