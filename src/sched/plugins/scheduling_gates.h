// SchedulingGates: a pod with gates never enters the queue.
#pragma once

#include "base/text.h"
#include "sched/plugin.h"

namespace keelson::sched {

class SchedulingGates : public Plugin {
 public:
  std::string_view name() const override { return "SchedulingGates"; }
  Status pre_enqueue(const cluster::View&, const PodInfo& pod) const override {
    std::vector<std::string> gates;
    for (const Value& gate : pod.spec()["schedulingGates"].elements())
      gates.push_back(gate["name"].str());
    if (gates.empty()) return {};
    return Status::unresolvable("waiting for scheduling gates: [" + join(gates, " ") + "]");
  }
  bool may_help(const PodInfo& pod, const Change& change) const override {
    return change.resource == "pods" && change.after["metadata"]["uid"].as_string() == pod.uid;
  }
};

}  // namespace keelson::sched
