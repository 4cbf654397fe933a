// Discovery: what groups, versions and resources there are, in the plain and in the aggregated
// form, derived from the table of types. Pure; the server caches what is made here until what is
// served changes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"
#include "model/types.h"

namespace keelson::api {

using codec::Value;

struct DiscoveredVersion {
  std::string version;
  std::vector<model::ResourcePointer> resources;  // by plural
};
struct DiscoveredGroup {
  std::string name;                         // "" is the core group
  std::vector<DiscoveredVersion> versions;  // preferred first
};

// All groups, core first, then in the order in which kube-apiserver lists them.
std::vector<DiscoveredGroup> discovered_groups(std::vector<model::ResourcePointer> resources);

Value api_versions(std::string_view server_address);               // /api
Value api_group(const DiscoveredGroup& group);                     // /apis/GROUP
Value api_group_list(const std::vector<DiscoveredGroup>& groups);  // /apis
Value api_resource_list(const DiscoveredGroup& group, const DiscoveredVersion& version);
// apidiscovery.k8s.io/v2; `core`: of /api, else of /apis.
Value aggregated_discovery(const std::vector<DiscoveredGroup>& groups, bool core);

// True if version `a` is preferred to `b`: v2, v1, v2beta1, v1alpha1, others.
bool version_precedes(std::string_view a, std::string_view b);

}  // namespace keelson::api
