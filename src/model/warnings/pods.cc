// Pods and templates: pkg/api/pod/warnings.go. Fields are visited in its order; what it visits in
// the order of a map comes by name.
#include <algorithm>
#include <map>
#include <utility>

#include "model/scheme.h"
#include "model/warnings/rules.h"

namespace keelson::model {
namespace {

struct NamedText {
  std::string_view name, text;
};

constexpr NamedText kDeprecatedAnnotations[] = {
    {"scheduler.alpha.kubernetes.io/critical-pod",
     "non-functional in v1.16+; use the \"priorityClassName\" field instead"},
    {"security.alpha.kubernetes.io/sysctls",
     "non-functional in v1.11+; use the \"sysctls\" field instead"},
    {"security.alpha.kubernetes.io/unsafe-sysctls",
     "non-functional in v1.11+; use the \"sysctls\" field instead"},
};

constexpr NamedText kDeprecatedVolumes[] = {
    {"photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
    {"gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"},
    {"scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
    {"flocker", "deprecated in v1.22, non-functional in v1.25+"},
    {"storageos", "deprecated in v1.22, non-functional in v1.25+"},
    {"quobyte", "deprecated in v1.22, non-functional in v1.25+"},
    {"glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
    {"ephemeral", ""},
    {"cephfs", "deprecated in v1.28, non-functional in v1.31+"},
    {"rbd", "deprecated in v1.28, non-functional in v1.31+"},
};

constexpr std::string_view kNoPods = ": a null labelSelector results in matching no pod";

void warn_of_scheduling(const Path& spec_path, const Value& spec, Warnings& warnings) {
  const Path selector = spec_path.child("nodeSelector");
  for (const codec::Member& label : spec["nodeSelector"].members())
    if (const auto why = node_label_deprecation(label.key()); !why.empty())
      warnings.push_back(selector.key(label.key()).text() + ": " + std::string(why));
  const Path node = spec_path.child("affinity.nodeAffinity");
  const Value& affinity = spec["affinity"]["nodeAffinity"];
  const Path required = node.child("requiredDuringSchedulingIgnoredDuringExecution");
  const Path terms = required.child("nodeSelectorTerms");
  const Value& list = affinity["requiredDuringSchedulingIgnoredDuringExecution"];
  for (std::size_t i = 0; i < list["nodeSelectorTerms"].size(); ++i)
    warn_of_node_selector_term(terms.index(i), list["nodeSelectorTerms"][i], false, warnings);
  const Path preferred = node.child("preferredDuringSchedulingIgnoredDuringExecution");
  const Value& preferences = affinity["preferredDuringSchedulingIgnoredDuringExecution"];
  for (std::size_t i = 0; i < preferences.size(); ++i) {
    const Path at = preferred.index(i);
    warn_of_node_selector_term(at.child("preference"), preferences[i]["preference"], true,
                               warnings);
  }
  const Path constraints = spec_path.child("topologySpreadConstraints");
  for (std::size_t i = 0; i < spec["topologySpreadConstraints"].size(); ++i) {
    const Value& constraint = spec["topologySpreadConstraints"][i];
    const Path at = constraints.index(i);
    const std::string key = constraint["topologyKey"].str();
    if (const auto why = node_label_deprecation(key); !why.empty())
      warnings.push_back(at.child("topologyKey").text() + ": " + key + " is " + std::string(why));
    if (constraint["labelSelector"].is_null())
      warnings.push_back(at.child("labelSelector").text() + std::string(kNoPods));
  }
}

// --- volumes ---

struct VirtualPath {
  std::string path, source;
  std::string text() const {
    return source.empty() ? quote(path) : quote(path) + " (" + source + ")";
  }
  bool operator==(const VirtualPath&) const = default;
};
using VirtualPaths = std::vector<VirtualPath>;

VirtualPaths paths_of(const Value& items, const std::string& source) {
  VirtualPaths paths;
  for (const Value& item : items.elements()) paths.push_back({item["path"].str(), source});
  return paths;
}

bool lies_in(const std::string& inner, const std::string& outer) {
  return (inner + "/").starts_with(outer + "/");
}

// Adds the paths to those that are known, and tells of each pair that overlaps.
void add_paths(VirtualPaths paths, VirtualPaths& known, std::vector<std::string>& overlaps) {
  for (VirtualPath& one : paths) {
    while (!one.path.empty() && one.path.back() == '/') one.path.pop_back();
    if (!one.path.empty())
      for (const VirtualPath& other : known)
        if (!other.path.empty() && (lies_in(other.path, one.path) || lies_in(one.path, other.path)))
          overlaps.push_back(one.text() + " with " + other.text());
    known.push_back(std::move(one));
  }
}

VirtualPaths projected_paths(const Value& source) {
  for (const auto& [key, kind] : {std::pair{"configMap", "ConfigMap"}, {"secret", "Secret"}})
    if (source[key].has("items"))
      return paths_of(source[key]["items"],
                      std::string(kind) + " " + quote(source[key]["name"].as_string()));
  if (source["downwardAPI"].has("items"))
    return paths_of(source["downwardAPI"]["items"], "DownwardAPI");
  if (source.has("serviceAccountToken"))
    return {{source["serviceAccountToken"]["path"].str(), "ServiceAccountToken"}};
  if (const Value& bundle = source["clusterTrustBundle"]; !bundle.is_null()) {
    const Value& name = bundle.has("name") ? bundle["name"] : bundle["signerName"];
    return {{bundle["path"].str(), "ClusterTrustBundle " + quote(name.as_string())}};
  }
  VirtualPaths paths;
  constexpr NamedText kParts[] = {{"certificateChainPath", "PodCertificate chain"},
                                  {"keyPath", "PodCertificate key"},
                                  {"credentialBundlePath", "PodCertificate credential bundle"}};
  for (const NamedText& part : kParts)
    if (!empty_text(source["podCertificate"][part.name]))
      paths.push_back({source["podCertificate"][part.name].str(), std::string(part.text)});
  return paths;
}

void warn_of_overlaps(const Value& volumes, Warnings& warnings) {
  for (const Value& volume : volumes.elements()) {
    const std::string head = "volume " + quote(volume["name"].as_string()) + " (";
    const auto tell = [&](const std::string& what, const std::vector<std::string>& overlaps) {
      for (const std::string& one : overlaps)
        warnings.push_back(head + what + "): overlapping paths: " + one);
    };
    const auto check = [&](const Value& items, const std::string& what) {
      VirtualPaths known;
      std::vector<std::string> overlaps;
      add_paths(paths_of(items, ""), known, overlaps);
      tell(what, overlaps);
    };
    check(volume["configMap"]["items"],
          "ConfigMap " + quote(volume["configMap"]["name"].as_string()));
    check(volume["secret"]["items"], "Secret " + quote(volume["secret"]["secretName"].as_string()));
    check(volume["downwardAPI"]["items"], "DownwardAPI");
    VirtualPaths known;
    for (const Value& source : volume["projected"]["sources"].elements()) {
      if (source.empty()) {
        warnings.push_back(head + "Projected) has no sources provided");
        continue;
      }
      std::vector<std::string> overlaps;
      add_paths(projected_paths(source), known, overlaps);
      tell("Projected", overlaps);
    }
  }
}

void warn_of_volumes(const Path& path, const Value& volumes, Warnings& warnings) {
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    const Path at = path.index(i);
    for (const auto& [source, why] : kDeprecatedVolumes) {
      if (!volumes[i].has(source)) continue;
      // The path names the internal field.
      const Path part = at.child(source == "storageos" ? "storageOS" : source);
      if (!why.empty())
        warnings.push_back(part.text() + ": " + std::string(why));
      else if (const Value& claim = volumes[i][source]["volumeClaimTemplate"]; !claim.is_null())
        warn_of_claim_spec(part.child("volumeClaimTemplate.spec"), claim["spec"], warnings);
    }
  }
  warn_of_overlaps(volumes, warnings);
}

void warn_of_repeated(const Path& path, const Value& list, std::string_view key,
                      std::string_view what, Warnings& warnings) {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Path at = path.index(i);
    if (!seen.insert(list[i][key].as_string()).second)
      warnings.push_back(at.child(key).text() + ": " + std::string(what) + " " +
                         quote(list[i][key].as_string()));
  }
}

// --- containers ---

template <typename Visit>
void each_container(const Path& spec_path, const Value& spec, Visit visit) {
  for (std::string_view list : {"initContainers", "containers", "ephemeralContainers"}) {
    const Path path = spec_path.child(list);
    for (std::size_t i = 0; i < spec[list].size(); ++i) visit(spec[list][i], path.index(i));
  }
}

// A variable that is set again must refer to its former value, else apply may lose one of the two.
void warn_of_variables(const Path& path, const Value& variables, Warnings& warnings) {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const std::string_view name = variables[i]["name"].as_string();
    if (seen.insert(name).second) continue;
    const std::string reference = "$(" + std::string(name) + ")";
    const std::string_view value = variables[i]["value"].as_string();
    if (variables[i].has("valueFrom") || value == reference ||
        value.find(reference) == std::string_view::npos)
      warnings.push_back(path.index(i).text() + ": hides previous definition of " + quote(name) +
                         ", which may be dropped when using apply");
  }
}

void warn_of_container(const Path& path, const Value& container, const Path& annotations_path,
                       const Value& pod, bool is_template, Warnings& warnings) {
  const Value& annotations = pod["metadata"]["annotations"];
  const Value& context = container["securityContext"];
  const std::string name = container["name"].str();
  const std::string seccomp = "container.seccomp.security.alpha.kubernetes.io/" + name;
  if (context["seccompProfile"].is_null() && annotations.has(seccomp))
    warnings.push_back(annotations_path.key(seccomp).text() +
                       ": non-functional in v1.27+; use the \"seccompProfile\" field instead");
  const std::string armor = "container.apparmor.security.beta.kubernetes.io/" + name;
  if (is_template && context["appArmorProfile"].is_null() && annotations.has(armor)) {
    const Value& profile = pod["spec"]["securityContext"]["appArmorProfile"];
    if (profile.is_null() || !(profile == app_armor_profile_of(annotations[armor].as_string())))
      warnings.push_back(annotations_path.key(armor).text() +
                         ": deprecated since v1.30; use the \"appArmorProfile\" field instead");
  }
  const Path resources = path.child("resources");
  for (std::string_view key : {"memory", "ephemeral-storage"})
    for (std::string_view part : {"limits", "requests"})
      warn_of_fraction(resources.child(part), container["resources"][part], key, warnings);
  warn_of_variables(path.child("env"), container["env"], warnings);
}

// --- ports ---

std::string go_port(const Value& port) {
  return "{Name:" + port["name"].str() + " HostPort:" + std::to_string(port["hostPort"].as_int()) +
         " ContainerPort:" + std::to_string(port["containerPort"].as_int()) +
         " Protocol:" + port["protocol"].str() + " HostIP:" + port["hostIP"].str() + "}";
}

std::string_view overlap_of(const Value& port, const Value& other) {
  const std::int64_t number = port["hostPort"].as_int(), taken = other["hostPort"].as_int();
  const std::string_view ip = port["hostIP"].as_string(), taken_ip = other["hostIP"].as_string();
  if (ip == taken_ip && number == taken) return "duplicate port definition";
  if (number == 0 || taken == 0) return "overlapping port definition";
  if (number == taken && ip.empty() != taken_ip.empty())
    return "dangerously ambiguous port definition";
  return {};
}

void warn_of_ports(const Path& spec_path, const Value& spec, Warnings& warnings) {
  struct Seen {
    std::string path;
    const Value* port;
  };
  std::map<std::pair<std::int64_t, std::string_view>, std::vector<Seen>> seen;
  std::map<std::string_view, std::string> names;
  Warnings of_names;
  each_container(spec_path, spec, [&](const Value& container, const Path& path) {
    const Path ports = path.child("ports");
    for (std::size_t i = 0; i < container["ports"].size(); ++i) {
      const Value& port = container["ports"][i];
      const std::string at = ports.index(i).text();
      if (!empty_text(port["hostIP"]) && port["hostPort"].as_int() == 0)
        warnings.push_back(at + ": hostIP set without hostPort: " + go_port(port));
      auto& others = seen[{port["containerPort"].as_int(), port["protocol"].as_string()}];
      for (const Seen& other : others)
        if (const auto what = overlap_of(port, *other.port); !what.empty())
          warnings.push_back(at + ": " + std::string(what) + " with " + other.path);
      others.push_back({at, &port});
      const std::string_view name = port["name"].as_string();
      if (name.empty()) continue;
      if (const auto [first, is_new] = names.emplace(name, at); !is_new)
        of_names.push_back(at + ": duplicate port name " + quote(name) + " with " + first->second +
                           ", services and probes that select ports by name will use " +
                           first->second);
    }
  });
  warnings.insert(warnings.end(), of_names.begin(), of_names.end());
}

// --- affinity between pods ---

void warn_of_pod_terms(const Path& path, const Value& affinity, Warnings& warnings) {
  constexpr std::string_view kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
  constexpr std::string_view kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";
  const Path required = path.child(kRequired), preferred = path.child(kPreferred);
  for (std::size_t i = 0; i < affinity[kRequired].size(); ++i) {
    const Path at = required.index(i);
    if (affinity[kRequired][i]["labelSelector"].is_null())
      warnings.push_back(at.child("labelSelector").text() + std::string(kNoPods));
  }
  for (std::size_t i = 0; i < affinity[kPreferred].size(); ++i) {
    const Path at = preferred.index(i);
    if (affinity[kPreferred][i]["podAffinityTerm"]["labelSelector"].is_null())
      warnings.push_back(at.child("podAffinityTerm.labelSelector").text() + std::string(kNoPods));
  }
}

}  // namespace

void warn_of_pod(const Path* path, const Value& pod, Warnings& warnings) {
  const Path root = Path::root();
  const Path& base = path != nullptr ? *path : root;
  const Path spec_path = base.child("spec"), annotations_path = base.child("metadata.annotations");
  const Value& spec = pod["spec"];
  const Value& annotations = pod["metadata"]["annotations"];
  warn_of_scheduling(spec_path, spec, warnings);
  for (const auto& [key, why] : kDeprecatedAnnotations)
    if (annotations.has(key))
      warnings.push_back(annotations_path.key(key).text() + ": " + std::string(why));
  warn_of_volumes(spec_path.child("volumes"), spec["volumes"], warnings);
  const Path aliases = spec_path.child("hostAliases"),
             secrets = spec_path.child("imagePullSecrets");
  warn_of_repeated(aliases, spec["hostAliases"], "ip", "duplicate ip", warnings);
  warn_of_repeated(secrets, spec["imagePullSecrets"], "name", "duplicate name", warnings);
  for (std::size_t i = 0; i < spec["imagePullSecrets"].size(); ++i) {
    const Path at = secrets.index(i);
    if (empty_text(spec["imagePullSecrets"][i]["name"]))
      warnings.push_back(at.child("name").text() + ": invalid empty name \"\"");
  }
  for (std::string_view key : {"memory", "ephemeral-storage"})
    warn_of_fraction(spec_path.child("overhead"), spec["overhead"], key, warnings);
  constexpr std::string_view kSeccomp = "seccomp.security.alpha.kubernetes.io/pod";
  if (spec["securityContext"]["seccompProfile"].is_null() && annotations.has(kSeccomp))
    warnings.push_back(annotations_path.key(kSeccomp).text() +
                       ": non-functional in v1.27+; use the \"seccompProfile\" field instead");
  each_container(spec_path, spec, [&](const Value& container, const Path& at) {
    warn_of_container(at, container, annotations_path, pod, path != nullptr, warnings);
  });
  warn_of_ports(spec_path, spec, warnings);
  if (spec["terminationGracePeriodSeconds"].as_int() < 0)
    warnings.push_back(spec_path.child("terminationGracePeriodSeconds").text() +
                       ": must be >= 0; negative values are invalid and will be treated as 1");
  const Path affinity = spec_path.child("affinity");
  for (std::string_view key : {"podAffinity", "podAntiAffinity"})
    warn_of_pod_terms(affinity.child(key), spec["affinity"][key], warnings);
  const Path dns = spec_path.child("dnsConfig.nameservers");
  const Value& servers = spec["dnsConfig"]["nameservers"];
  for (std::size_t i = 0; i < servers.size(); ++i)
    warn_of_ip(dns.index(i), servers[i].as_string(), warnings);
  for (std::size_t i = 0; i < spec["hostAliases"].size(); ++i) {
    const Path at = aliases.index(i);
    warn_of_ip(at.child("ip"), spec["hostAliases"][i]["ip"].as_string(), warnings);
  }
}

}  // namespace keelson::model
