// NodeDeclaredFeatures: a pod that needs a node feature fits only where the node declares it.
#pragma once

#include "sched/plugin.h"

namespace keelson::sched {

class NodeDeclaredFeatures : public Plugin {
 public:
  std::string_view name() const override { return "NodeDeclaredFeatures"; }
  Status pre_filter(const Cycle& cycle, PreFilter& out) const override;
  Status filter(const Cycle& cycle, const State* state, const NodeInfo& node) const override;
  bool may_help(const PodInfo&, const Change& change) const override {
    return (change.resource == "nodes" || change.resource == "pods") && !change.removed();
  }
};

}  // namespace keelson::sched
