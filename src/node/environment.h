// The environment and the command of a container. Pure. Rules: pkg/kubelet/kubelet_pods.go
// (makeEnvironmentVariables, podFieldSelectorRuntimeValue), pkg/kubelet/envvars,
// third_party/forked/golang/expansion.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cluster/cluster.h"
#include "codec/value.h"

namespace keelson::node {

using codec::Value;
using Environment = std::vector<std::pair<std::string, std::string>>;

// "$(NAME)" replaced where NAME is known, "$$(NAME)" unescaped, all else as it stands.
std::string expand(std::string_view text, const std::map<std::string, std::string>& variables);

struct PodFacts {
  std::string address, host_address, node_name;
  // Allocatable of the node: what resourceFieldRef says where no limit is set.
  Value allocatable = {};
};

// Of the pod: "metadata.name", "metadata.labels['x']", "status.podIP", "spec.nodeName" ...
// Error: an unsupported path.
Result<std::string> field_value(const Value& pod, std::string_view path, const PodFacts& facts);
// "limits.cpu" with a divisor, rounded up.
Result<std::string> resource_value(const Value& container, const Value& reference,
                                   const PodFacts& facts);

// Error: CreateContainerConfigError's message, e.g. `configmap "x" not found`.
Result<Environment> environment_of(const cluster::View& view, const Value& pod,
                                   const Value& container, const PodFacts& facts);

// command and args (the image's where the container has none), expanded.
std::vector<std::string> argv_of(const Value& container,
                                 const std::vector<std::string>& image_entrypoint,
                                 const std::vector<std::string>& image_command,
                                 const Environment& environment);

}  // namespace keelson::node
