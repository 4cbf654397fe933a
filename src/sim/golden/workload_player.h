// Plays recordings of the workload controllers: each scenario's timeline against the World, Kubelet
// and the real controllers, in virtual time and in the recorded order of work; every state must
// come out as recorded.
//
// The controllers run under the runtime's own Manager on the virtual loop of simulations: one item
// at a time, after all changes were announced, Deployments before ReplicaSets. What else the
// recordings lay down (nodes and garbage last, retries that come close belong together) is here.
//
// The format. A file is {"scenarios": [...]}; a scenario has
//
//   name, about   for people
//   objects       manifests, created at t = 0 in namespace default
//   rules         how pods live: see kubelet.h
//   nodes         n1 .. nN for pods; the k-th pod made is meant for node k mod N + 1 (absent: 1)
//   timeline      actions in order of `t`, in seconds from 2000-01-01T00:00:00Z
//   until         the end, which is no state (absent: 620 s after the last action; random ones 150)
//   want          the states: see picture.h
//
// At one instant, first pods change that are due, then the actions happen, then everything works
// until nothing changes. A retry or delayed sync that comes within half a second, with nothing else
// between, belongs to the same instant. A state is recorded if it differs from the one before or
// has events; `t` is cut to tenths. An action has `do`:
//
//   create object | patch kind name patch (RFC 7396) | delete kind name [cascade: orphan]
//   undo name [toRevision]      a Deployment takes the template of that revision (the last but one)
//   rule ...                    one more rule, which wins over those before
//   podNotReady, podReady, podFail, podSucceed, podRemove pod; podRestarts pod count
//   quota [pods]                creating a pod is refused when there are so many; absent: no quota
//   failCreate resource message creating this resource is refused; an empty message ends it
//
// ReplicaSets made by controllers are called rs1, rs2 ... in order of creation, revisions cr1 ...,
// pods rs1.0 (by their owner) or n1.0 (by their node, of DaemonSets); what is made by hand, and
// pods of StatefulSets, by their own names.
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
