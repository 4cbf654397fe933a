// Reading a pod's spec as the kubelet reads it: which containers there are, who restarts, how a pod
// is written in messages. Pure; strings live as long as the pod.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "codec/value.h"

namespace keelson::node {

using codec::Value;

// The container of any list of the spec with this name; null if there is none.
const Value& container_named(const Value& pod, std::string_view name);
// "spec.containers{web}", as events about a container carry it; empty if there is none.
std::string field_path_of(const Value& pod, std::string_view container);

// Whether a container that ended with this code starts again; container rules, then the container's
// policy, then the pod's. pkg/api/v1/pod/util.go, ContainerShouldRestart.
bool should_restart(const Value& pod, const Value& container, int exit_code);

// "web-0_default(uid)".
std::string pod_text(const Value& pod);
// Go's %v of a list of strings: "[a b]".
std::string go_list(const std::vector<std::string>& names);

// "Guaranteed", "Burstable" or "BestEffort".
std::string_view qos_class_of(const Value& pod);

// metadata.deletionGracePeriodSeconds, else spec.terminationGracePeriodSeconds, else 30 s.
Duration grace_of(const Value& pod);
bool uses_host_network(const Value& pod);

// The port of a probe or hook: a number, or the name of one of the container's ports. 0: unknown.
int resolve_port(const Value& port, const Value& container);

}  // namespace keelson::node
