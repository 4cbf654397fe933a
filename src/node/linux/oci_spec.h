// The OCI runtime configuration of a container. Pure: what Kubernetes declares in, config.json out.
#pragma once

#include <string>
#include <vector>

#include "codec/value.h"
#include "node/driver.h"

namespace keelson::node {

struct BindMount {
  std::string source, target;
  bool read_only = false;
  bool empty_tmpfs = false;  // hides what is there instead
};

struct OciInput {
  const ContainerRequest& request;
  std::int64_t user = 0, group = 0;
  std::vector<std::int64_t> groups;
  std::vector<BindMount> mounts;  // in order
  std::string cgroup;             // "/keelson/NAME/podUID/ID"
  std::int64_t cpu_scale = 1;
  std::uint64_t capabilities_mask = ~0ULL;  // what the engine itself may hand on
};

Value oci_spec(const OciInput& input);

// Kubernetes' conversions (pkg/kubelet/cm/helpers_linux.go), with declared cores divided by scale.
std::int64_t cpu_shares(std::int64_t milli, std::int64_t scale);
// Microseconds per period of 100 ms; 0: no limit.
std::int64_t cpu_quota(std::int64_t milli, std::int64_t scale);

}  // namespace keelson::node
