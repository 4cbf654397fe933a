// Discovery: what groups, versions and resources there are, in the plain and in the aggregated
// form, derived from the table of types. Pure; the server caches what is made here until what is
// served changes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/value.h"
#include "model/types.h"

namespace keelson::api {

using codec::Value;

struct DiscoveredVersion {
  std::string version;
  std::vector<model::ResourcePointer> resources;  // by plural
  Value remote = {};  // of another server: its APIVersionDiscovery with freshness; null: ours
};
struct DiscoveredGroup {
  std::string name;                         // "" is the core group
  std::vector<DiscoveredVersion> versions;  // preferred first
};

// What APIServices say about the order.
struct Priorities {
  std::map<std::string, std::int64_t, std::less<>> groups;  // the higher, the earlier
  std::map<std::pair<std::string, std::string>, std::int64_t> versions;
};
// A version that another server serves.
struct RemoteVersion {
  std::string group, version;
  Value document;  // as DiscoveredVersion::remote
};

// All groups, core first, then by priority and name; a group that no APIService speaks of stands
// where kube-apiserver has it, or with those of custom resources.
std::vector<DiscoveredGroup> discovered_groups(std::vector<model::ResourcePointer> resources,
                                               const Priorities& priorities = {},
                                               std::vector<RemoteVersion> remotes = {});

Value api_versions(std::string_view server_address);               // /api
Value api_group(const DiscoveredGroup& group);                     // /apis/GROUP
Value api_group_list(const std::vector<DiscoveredGroup>& groups);  // /apis
Value api_resource_list(const DiscoveredGroup& group, const DiscoveredVersion& version);
// apidiscovery.k8s.io/v2; `core`: of /api, else of /apis.
Value aggregated_discovery(const std::vector<DiscoveredGroup>& groups, bool core);

// True if version `a` is preferred to `b`: v2, v1, v2beta1, v1alpha1, others.
bool version_precedes(std::string_view a, std::string_view b);

}  // namespace keelson::api
