// The status that a node reports for a pod: phase, conditions and container statuses, as the
// kubelet computes them (pkg/kubelet/kubelet_pods.go, pkg/kubelet/status/generate.go). Pure: facts
// in, status out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codec/value.h"
#include "node/prober.h"
#include "node/runtime_state.h"

namespace keelson::node {

// Why a container waits: "CrashLoopBackOff", "ImagePullBackOff", "CreateContainerError" ...
struct WaitReason {
  std::string reason, message;
};

struct StatusInput {
  const Value& pod;  // spec and the status as last served
  const Sandbox& sandbox;
  const std::vector<ContainerRun>& runs;
  const Prober& prober;
  const std::map<std::string, WaitReason>& waits;  // by container
  std::string host_address;
  std::string runtime = "crun";    // scheme of container ids
  bool terminal = false;           // nothing runs and nothing will
  bool deadline_exceeded = false;  // activeDeadlineSeconds
  Instant now;
};

// A complete status; conditions that belong to others are kept as served.
Value pod_status(const StatusInput& input);

// The merge patch body {"status": ...} that turns `before` into `after`; null if they are equal.
Value status_patch(const Value& before, const Value& after);

}  // namespace keelson::node
