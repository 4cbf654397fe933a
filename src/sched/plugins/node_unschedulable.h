// NodeUnschedulable: a cordoned node takes only pods that tolerate the taint of the same meaning.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class NodeUnschedulable : public Plugin {
 public:
  std::string_view name() const override { return "NodeUnschedulable"; }
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  bool may_help(const PodInfo& pod, const Change& change) const override;
};

}  // namespace keelson::sched
