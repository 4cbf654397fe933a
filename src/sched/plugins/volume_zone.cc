// Zones of volumes as Kubernetes' plugins/volumezone.
#include "sched/plugins/volume_zone.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "model/meta.h"
#include "sched/plugins/volume_claims.h"

namespace keelson::sched {
namespace {

struct LabelNames {
  std::string_view key, current;  // a deprecated label and the one that replaced it
};
constexpr std::array<LabelNames, 4> kLabels{{
    {"failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"},
    {"failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"},
    {"topology.kubernetes.io/zone", "topology.kubernetes.io/zone"},
    {"topology.kubernetes.io/region", "topology.kubernetes.io/region"},
}};

struct Rules : State {
  struct Rule {
    LabelNames label;
    std::vector<std::string> values;
  };
  std::vector<Rule> rules;
};

Status not_found(std::string_view kind, const std::string& name) {
  return Status::unresolvable(std::string(kind) + " " + quote(name) + " not found");
}

// "a__b": several zones. An empty one makes the label void.
std::vector<std::string> zones_of(std::string_view text) {
  std::vector<std::string> zones;
  while (true) {
    const auto end = text.find("__");
    const std::string_view zone = trim(text.substr(0, end));
    if (zone.empty()) return {};
    zones.emplace_back(zone);
    if (end == std::string_view::npos) return zones;
    text.remove_prefix(end + 2);
  }
}

// The volume's name; empty if the claim is to be bound late.
Status volume_of(const Cycle& cycle, const Value& claim, std::string& name) {
  name = claim["spec"]["volumeName"].str();
  if (!name.empty()) return {};
  const std::string class_name = class_of_claim(claim);
  if (class_name.empty())
    return Status::unresolvable("PersistentVolumeClaim had no pv name and storageClass name");
  const Value storage_class = cycle.view.get("storageclasses.storage.k8s.io", {}, class_name);
  if (storage_class.is_null()) return not_found("storageclass.storage.k8s.io", class_name);
  const Value& mode = storage_class["volumeBindingMode"];
  if (mode.is_null())
    return Status::unresolvable("VolumeBindingMode not set for StorageClass " + quote(class_name));
  if (mode.as_string() == "WaitForFirstConsumer") return {};
  return Status::unresolvable("PersistentVolume had no name");
}

}  // namespace

Status VolumeZone::pre_filter(const Cycle& cycle, PreFilter& out) const {
  auto state = std::make_shared<Rules>();
  for (const std::string& claim_name : cycle.pod.claims) {
    if (claim_name.empty()) return Status::unresolvable("PersistentVolumeClaim had no name");
    const Value claim = cycle.view.get("persistentvolumeclaims", cycle.pod.namespace_, claim_name);
    if (claim.is_null()) return not_found("persistentvolumeclaim", claim_name);
    std::string volume_name;
    if (Status status = volume_of(cycle, claim, volume_name); !status.ok()) return status;
    if (volume_name.empty()) continue;
    const Value volume = cycle.view.get("persistentvolumes", {}, volume_name);
    if (volume.is_null()) return not_found("persistentvolume", volume_name);
    for (const LabelNames& label : kLabels) {
      const Value* value = model::labels_of(volume).find(label.key);
      if (!value) continue;
      if (auto zones = zones_of(value->as_string()); !zones.empty())
        state->rules.push_back({label, std::move(zones)});
    }
  }
  if (state->rules.empty()) return Status::skip();
  out.state = std::move(state);
  return {};
}

Status VolumeZone::filter(const Cycle&, const State* state, const NodeInfo& node) const {
  if (std::none_of(kLabels.begin(), kLabels.end(),
                   [&](const LabelNames& label) { return node.label(label.key); }))
    return {};
  for (const auto& rule : static_cast<const Rules*>(state)->rules) {
    const Value* value = node.label(rule.label.key);
    if (!value) value = node.label(rule.label.current);
    if (!value ||
        std::find(rule.values.begin(), rule.values.end(), value->as_string()) == rule.values.end())
      return Status::unresolvable("node(s) had no available volume zone");
  }
  return {};
}

bool VolumeZone::may_help(const PodInfo& pod, const Change& change) const {
  if (change.removed()) return false;
  if (change.resource == "persistentvolumeclaims") {
    const auto& claims = pod.claims;
    return model::namespace_of(change.after) == pod.namespace_ &&
           std::find(claims.begin(), claims.end(), model::name_of(change.after)) != claims.end();
  }
  return change.resource == "nodes" || change.resource == "persistentvolumes" ||
         change.resource == "storageclasses.storage.k8s.io";
}

}  // namespace keelson::sched
