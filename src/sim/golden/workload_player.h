// Plays recordings of the workload controllers (tests/golden/workloads): each scenario's timeline
// against the World, Kubelet and the real controllers, in virtual time and in the recorded order of
// work; every state must come out as recorded.
//
// The controllers run under the runtime's own Manager on the virtual loop of simulations: one item
// at a time, after all changes were announced, Deployments before ReplicaSets. What else the
// recordings lay down (nodes and garbage last, retries that come close belong together) is here.
#pragma once

#include <string>
#include <vector>

#include "codec/value.h"

namespace keelson::sim::golden {

using codec::Value;

struct ScenarioResult {
  std::string name;
  bool passed = false;
  std::string difference;  // the first differences, a line each; empty if passed
};

// Whether the file is a recording of this kind.
bool is_workload_recording(const Value& file);
std::vector<ScenarioResult> play_workloads(const Value& file);
ScenarioResult play_workload(const Value& scenario);

}  // namespace keelson::sim::golden
