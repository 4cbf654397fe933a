// The order of the groups is that of the priorities which kube-apiserver gives to its APIServices
// (pkg/controlplane/apiserver/aggregator.go); groups of custom resources follow, by name.
#include "api/documents/discovery.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "base/text.h"

namespace keelson::api {
namespace {

// As the original computes it: eight bytes of the SHA-256 of "GROUP/VERSION/KIND".
std::string storage_version_hash(const std::string& group, const std::string& version,
                                 const std::string& kind) {
  const std::string text = group + "/" + version + "/" + kind;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  constexpr std::size_t bytes = 8;
  return to_base64({reinterpret_cast<const char*>(digest.data()), bytes});
}

constexpr std::array<std::string_view, 21> kGroupOrder = {"",
                                                          "apiregistration.k8s.io",
                                                          "apps",
                                                          "events.k8s.io",
                                                          "authentication.k8s.io",
                                                          "authorization.k8s.io",
                                                          "autoscaling",
                                                          "batch",
                                                          "certificates.k8s.io",
                                                          "networking.k8s.io",
                                                          "policy",
                                                          "rbac.authorization.k8s.io",
                                                          "storage.k8s.io",
                                                          "admissionregistration.k8s.io",
                                                          "apiextensions.k8s.io",
                                                          "scheduling.k8s.io",
                                                          "coordination.k8s.io",
                                                          "node.k8s.io",
                                                          "discovery.k8s.io",
                                                          "resource.k8s.io",
                                                          "flowcontrol.apiserver.k8s.io"};

std::int64_t group_priority(const std::string& group, const Priorities& priorities) {
  constexpr std::int64_t kFirst = 1'000'000, kCustom = 1000, kTop = 20'000, kStep = 100;
  const auto rank = std::find(kGroupOrder.begin(), kGroupOrder.end(), group) - kGroupOrder.begin();
  // The core group and that of the APIServices themselves come first whatever is said.
  if (rank < 2) return kFirst - rank;
  if (const auto found = priorities.groups.find(group); found != priorities.groups.end())
    return found->second;
  return rank < std::ssize(kGroupOrder) ? kTop - kStep * rank : kCustom;
}

// "v2beta1" as (stage, major, minor); stage 2 is stable. nullopt-like stage -1 for other texts.
std::tuple<int, std::int64_t, std::int64_t> version_rank(std::string_view text) {
  const auto digits = [](std::string_view& rest) {
    std::size_t n = 0;
    while (n < rest.size() && rest[n] >= '0' && rest[n] <= '9') ++n;
    const auto number = n > 0 && n < 10 ? parse_int(rest.substr(0, n)) : std::nullopt;
    rest.remove_prefix(n);
    return number.value_or(-1);
  };
  if (!text.starts_with('v')) return {-1, 0, 0};
  text.remove_prefix(1);
  const std::int64_t major = digits(text);
  if (major < 0) return {-1, 0, 0};
  if (text.empty()) return {2, major, 0};
  for (const auto& [name, stage] : {std::pair<std::string_view, int>{"beta", 1}, {"alpha", 0}}) {
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    const std::int64_t minor = digits(text);
    if (minor >= 0 && text.empty()) return {stage, major, minor};
  }
  return {-1, 0, 0};
}

Value text_list(const std::vector<std::string>& texts) {
  Value list = Value::array();
  for (const std::string& text : texts) list.push_back(text);
  return list;
}

Value group_version(std::string_view group, std::string_view version) {
  const std::string both =
      group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
  return Value::object({{"groupVersion", both}, {"version", version}});
}

Value response_kind(std::string_view group, std::string_view version, std::string_view kind) {
  return Value::object({{"group", group}, {"version", version}, {"kind", kind}});
}

bool is_own_kind(const model::Resource& resource, const model::Subresource& subresource) {
  return subresource.group == resource.group && subresource.version == resource.version;
}

Value plain_resource(const model::Resource& resource) {
  Value entry = Value::object({{"name", resource.plural},
                               {"singularName", resource.singular},
                               {"namespaced", resource.namespaced},
                               {"kind", resource.kind},
                               {"verbs", text_list(resource.verbs)}});
  if (!resource.short_names.empty()) entry.set("shortNames", text_list(resource.short_names));
  if (!resource.categories.empty()) entry.set("categories", text_list(resource.categories));
  if (!resource.storage_hash.empty()) entry.set("storageVersionHash", resource.storage_hash);
  if (resource.custom)
    entry.set("storageVersionHash",
              storage_version_hash(resource.group, resource.definition["storageVersion"].str(),
                                   resource.kind));
  return entry;
}

Value plain_subresource(const model::Resource& resource, const model::Subresource& subresource) {
  Value entry = Value::object({{"name", resource.plural + "/" + subresource.name},
                               {"singularName", ""},
                               {"namespaced", resource.namespaced},
                               {"kind", subresource.kind},
                               {"verbs", text_list(subresource.verbs)}});
  if (!is_own_kind(resource, subresource)) {
    if (!subresource.group.empty()) entry.set("group", subresource.group);
    entry.set("version", subresource.version);
  }
  return entry;
}

Value aggregated_resource(const model::Resource& resource) {
  // Built-in kinds leave group and version of the kind empty: they are those of the list.
  const bool custom = resource.custom;
  Value entry =
      Value::object({{"resource", resource.plural},
                     {"responseKind", response_kind(custom ? resource.group : "",
                                                    custom ? resource.version : "", resource.kind)},
                     {"scope", resource.namespaced ? "Namespaced" : "Cluster"},
                     {"singularResource", resource.singular},
                     {"verbs", text_list(resource.verbs)}});
  if (!resource.short_names.empty()) entry.set("shortNames", text_list(resource.short_names));
  if (!resource.categories.empty()) entry.set("categories", text_list(resource.categories));
  for (const model::Subresource& subresource : resource.subresources) {
    const bool own = is_own_kind(resource, subresource) && !custom;
    entry.edit("subresources")
        .push_back(Value::object(
            {{"subresource", subresource.name},
             {"responseKind", response_kind(own ? "" : subresource.group,
                                            own ? "" : subresource.version, subresource.kind)},
             {"verbs", text_list(subresource.verbs)}}));
  }
  return entry;
}

Value group_body(const DiscoveredGroup& group) {
  Value versions = Value::array();
  for (const DiscoveredVersion& version : group.versions)
    versions.push_back(group_version(group.name, version.version));
  const Value preferred = versions[0];
  return Value::object(
      {{"name", group.name}, {"versions", versions}, {"preferredVersion", preferred}});
}

}  // namespace

bool version_precedes(std::string_view a, std::string_view b) {
  const auto rank_a = version_rank(a), rank_b = version_rank(b);
  if (rank_a != rank_b) return rank_a > rank_b;
  return a < b;
}

std::vector<DiscoveredGroup> discovered_groups(std::vector<model::ResourcePointer> resources,
                                               const Priorities& priorities,
                                               std::vector<RemoteVersion> remotes) {
  // By priority, the highest first, and name.
  std::map<std::pair<std::int64_t, std::string>, DiscoveredGroup> groups;
  const auto version_of = [&](const std::string& group_name,
                              const std::string& name) -> DiscoveredVersion& {
    DiscoveredGroup& group = groups[{-group_priority(group_name, priorities), group_name}];
    group.name = group_name;
    for (DiscoveredVersion& one : group.versions)
      if (one.version == name) return one;
    return group.versions.emplace_back(DiscoveredVersion{name, {}});
  };
  for (RemoteVersion& remote : remotes)
    version_of(remote.group, remote.version).remote = std::move(remote.document);
  for (model::ResourcePointer& resource : resources) {
    DiscoveredVersion& version = version_of(resource->group, resource->version);
    if (version.remote.is_null()) version.resources.push_back(std::move(resource));
  }
  std::vector<DiscoveredGroup> list;
  for (auto& [rank, group] : groups) {
    const auto priority_of = [&](const DiscoveredVersion& version) {
      const auto found = priorities.versions.find({group.name, version.version});
      return found == priorities.versions.end() ? 0 : found->second;
    };
    std::sort(group.versions.begin(), group.versions.end(), [&](const auto& a, const auto& b) {
      const auto first = priority_of(a), second = priority_of(b);
      return first != second ? first > second : version_precedes(a.version, b.version);
    });
    for (DiscoveredVersion& version : group.versions)
      std::sort(version.resources.begin(), version.resources.end(),
                [](const auto& a, const auto& b) { return a->plural < b->plural; });
    list.push_back(std::move(group));
  }
  return list;
}

Value api_versions(std::string_view server_address) {
  return Value::object({{"kind", "APIVersions"},
                        {"versions", Value::array({"v1"})},
                        {"serverAddressByClientCIDRs",
                         Value::array({Value::object(
                             {{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", server_address}})})}});
}

Value api_group(const DiscoveredGroup& group) {
  Value body = group_body(group);
  body.set("kind", "APIGroup");
  body.set("apiVersion", "v1");
  return body;
}

Value api_group_list(const std::vector<DiscoveredGroup>& groups) {
  Value list = Value::array();
  for (const DiscoveredGroup& group : groups)
    if (!group.name.empty()) list.push_back(group_body(group));
  return Value::object({{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", list}});
}

Value api_resource_list(const DiscoveredGroup& group, const DiscoveredVersion& version) {
  Value resources = Value::array();
  for (const model::ResourcePointer& resource : version.resources) {
    resources.push_back(plain_resource(*resource));
    for (const model::Subresource& subresource : resource->subresources)
      resources.push_back(plain_subresource(*resource, subresource));
  }
  Value list =
      Value::object({{"kind", "APIResourceList"},
                     {"groupVersion", group_version(group.name, version.version)["groupVersion"]},
                     {"resources", resources}});
  // The core group's list carries no apiVersion in the original.
  if (!group.name.empty()) list.set("apiVersion", "v1");
  return list;
}

Value aggregated_discovery(const std::vector<DiscoveredGroup>& groups, bool core) {
  Value items = Value::array();
  for (const DiscoveredGroup& group : groups) {
    if (group.name.empty() != core) continue;
    Value versions = Value::array();
    for (const DiscoveredVersion& version : group.versions) {
      if (!version.remote.is_null()) {
        versions.push_back(version.remote);
        continue;
      }
      Value resources = Value::array();
      for (const model::ResourcePointer& resource : version.resources)
        resources.push_back(aggregated_resource(*resource));
      versions.push_back(Value::object(
          {{"version", version.version}, {"resources", resources}, {"freshness", "Current"}}));
    }
    Value metadata = Value::object();
    if (!core) metadata.set("name", group.name);
    items.push_back(Value::object({{"metadata", metadata}, {"versions", versions}}));
  }
  return Value::object({{"kind", "APIGroupDiscoveryList"},
                        {"apiVersion", "apidiscovery.k8s.io/v2"},
                        {"metadata", Value::object()},
                        {"items", items}});
}

}  // namespace keelson::api
