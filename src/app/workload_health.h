// Whether a workload is where its spec wants it, from the object alone; and why a pod is not. Pure.
#pragma once

#include <string>

#include "codec/value.h"

namespace keelson::app {

struct Health {
  std::int64_t ready = 0, wanted = 0;
  bool well = false;
  std::string reason;  // if not well
};

// Deployment, ReplicaSet, StatefulSet, DaemonSet, Job. The status of an older generation counts as
// not well.
Health health_of_workload(const codec::Value& object);

// Empty if the pod is ready or finished; else the most telling of its conditions and container
// states, as "ImagePullBackOff: ..." or "Unschedulable: 0/3 nodes are available: ...".
std::string trouble_of_pod(const codec::Value& pod);

}  // namespace keelson::app
