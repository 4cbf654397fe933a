// NodePorts: two pods on one node cannot hold the same host port.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class NodePorts : public Plugin {
 public:
  std::string_view name() const override { return "NodePorts"; }
  Status pre_filter(const Cycle& cycle, PreFilter&) const override {
    return cycle.pod.host_ports.empty() ? Status::skip() : Status{};
  }
  Status filter(const Cycle& cycle, const State*, const NodeInfo& node) const override {
    for (const HostPort& port : cycle.pod.host_ports)
      if (node.port_conflicts(port))
        return Status::unschedulable("node(s) didn't have free ports for the requested pod ports");
    return {};
  }
  bool may_help(const PodInfo&, const Change& change) const override {
    if (change.resource == "nodes") return change.created();
    return change.resource == "pods" && change.removed();
  }
};

}  // namespace keelson::sched
