// Matching of claims and volumes.
#include "sched/plugins/volume_claims.h"

#include <algorithm>

#include "model/meta.h"
#include "sched/node_selector.h"

namespace keelson::sched {
namespace {

constexpr std::string_view kClassAnnotation = "volume.beta.kubernetes.io/storage-class";
constexpr std::string_view kClasses = "storageclasses.storage.k8s.io";

Quantity requested_of(const Value& claim) {
  return Quantity::of(claim["spec"]["resources"]["requests"]["storage"]);
}

std::string key_of(const Value& object) {
  return std::string(model::namespace_of(object)) + "/" + std::string(model::name_of(object));
}

Result<bool> binds_late(const cluster::View& view, const Value& claim) {
  const std::string name = class_of_claim(claim);
  if (name.empty()) return false;
  const Value storage_class = view.get(kClasses, {}, name);
  if (storage_class.is_null()) return false;
  const Value& mode = storage_class["volumeBindingMode"];
  if (mode.is_null())
    return Error{.message = "VolumeBindingMode not set for StorageClass \"" + name + "\""};
  return mode.as_string() == "WaitForFirstConsumer";
}

bool reserved_for(const Value& volume, const Value& claim) {
  const Value& reference = volume["spec"]["claimRef"];
  return reference["name"].as_string() == model::name_of(claim) &&
         reference["namespace"].as_string() == model::namespace_of(claim) &&
         (reference["uid"].as_string().empty() ||
          reference["uid"].as_string() == model::uid_of(claim));
}

bool access_modes_suffice(const Value& claim, const Value& volume) {
  const auto& offered = volume["spec"]["accessModes"].elements();
  for (const Value& mode : claim["spec"]["accessModes"].elements())
    if (std::find(offered.begin(), offered.end(), mode) == offered.end()) return false;
  return true;
}

std::string_view volume_mode(const Value& object) {
  return object["spec"]["volumeMode"].as_string("Filesystem");
}

// The smallest volume that can serve the claim on the node, or one reserved for it; null if none.
Result<Value> matching_volume(const Value& claim, const std::vector<Value>& volumes,
                              const std::vector<std::string>& taken, const NodeInfo& node) {
  model::LabelSelector selector;
  if (const Value* given = claim["spec"].find("selector"); given && !given->is_null()) {
    TRY(selector, model::LabelSelector::of(*given));
  }
  const Quantity wanted = requested_of(claim);
  const std::string wanted_class = class_of_claim(claim);
  Value best;
  Quantity best_size;
  for (const Value& volume : volumes) {
    const std::string name(model::name_of(volume));
    if (class_of_volume(volume) != wanted_class) continue;
    if (std::find(taken.begin(), taken.end(), name) != taken.end()) continue;
    const bool reserved = volume["spec"]["claimRef"].is_object();
    if (reserved && !reserved_for(volume, claim)) continue;
    const Quantity size = Quantity::of(volume["spec"]["capacity"]["storage"]);
    if (size < wanted || volume_mode(claim) != volume_mode(volume)) continue;
    if (claim["spec"]["volumeAttributesClassName"].as_string() !=
        volume["spec"]["volumeAttributesClassName"].as_string())
      continue;
    if (model::is_deleting(volume)) continue;
    const bool near = volume_fits_node(volume, node);
    if (reserved) return near ? volume : Value();
    if (volume["status"]["phase"].as_string() != "Available" ||
        !selector.matches(model::labels_of(volume)) || !near ||
        !access_modes_suffice(claim, volume))
      continue;
    if (best.is_null() || size < best_size) {
      best = volume;
      best_size = size;
    }
  }
  return best;
}

bool topology_allows(const Value& storage_class, const NodeInfo& node) {
  const auto& terms = storage_class["allowedTopologies"].elements();
  if (terms.empty()) return true;
  return std::any_of(terms.begin(), terms.end(), [&](const Value& term) {
    const auto& rules = term["matchLabelExpressions"].elements();
    if (rules.empty()) return false;
    return std::all_of(rules.begin(), rules.end(), [&](const Value& rule) {
      const Value* label = node.label(rule["key"].as_string());
      const auto& values = rule["values"].elements();
      return label && std::find(values.begin(), values.end(), *label) != values.end();
    });
  });
}

bool has_capacity(const cluster::View& view, const Value& claim, const Value& storage_class,
                  const NodeInfo& node) {
  if (claim["spec"]["resources"]["requests"]["storage"].is_null()) return true;
  const Value driver =
      view.get("csidrivers.storage.k8s.io", {}, storage_class["provisioner"].as_string());
  if (!driver["spec"]["storageCapacity"].as_bool()) return true;
  const std::int64_t wanted = requested_of(claim).value();
  for (const Value& capacity : view.list("csistoragecapacities.storage.k8s.io")) {
    if (capacity["storageClassName"].as_string() != model::name_of(storage_class)) continue;
    const Value& limit = capacity["maximumVolumeSize"].is_null() ? capacity["capacity"]
                                                                 : capacity["maximumVolumeSize"];
    if (limit.is_null() || Quantity::of(limit).value() < wanted) continue;
    if (capacity["nodeTopology"].is_null()) continue;
    const auto selector = model::LabelSelector::of(capacity["nodeTopology"]);
    if (selector.ok() && selector->matches(node.labels())) return true;
  }
  return false;
}

struct ProvisionVerdict {
  bool satisfied = true, enough = true;
};

Result<ProvisionVerdict> check_provisions(const cluster::View& view,
                                          const std::vector<Value>& claims, const NodeInfo& node) {
  for (const Value& claim : claims) {
    const std::string name = class_of_claim(claim);
    if (name.empty()) return Error{.message = "no class for claim \"" + key_of(claim) + "\""};
    const Value storage_class = view.get(kClasses, {}, name);
    if (storage_class.is_null())
      return Error{.message = "failed to find storage class \"" + name + "\""};
    const std::string_view provisioner = storage_class["provisioner"].as_string();
    if (provisioner.empty() || provisioner == "kubernetes.io/no-provisioner" ||
        !topology_allows(storage_class, node))
      return ProvisionVerdict{false, true};
    if (!has_capacity(view, claim, storage_class, node)) return ProvisionVerdict{true, false};
  }
  return ProvisionVerdict{};
}

}  // namespace

std::string class_of_claim(const Value& claim) {
  if (const Value* given = model::annotations_of(claim).find(kClassAnnotation)) return given->str();
  return claim["spec"]["storageClassName"].str();
}

std::string class_of_volume(const Value& volume) {
  return class_of_claim(volume);
}

std::string claim_name_of(const PodInfo& pod, const Value& volume) {
  if (volume["persistentVolumeClaim"].is_object())
    return volume["persistentVolumeClaim"]["claimName"].str();
  if (volume["ephemeral"].is_object()) return pod.name + "-" + volume["name"].str();
  return {};
}

Result<void> check_ephemeral(const PodInfo& pod, const Value& claim) {
  if (model::is_controlled_by(claim, model::uid_of(pod.pod))) return {};
  return Error{.message = "PVC " + key_of(claim) + " was not created for pod " + pod.key() +
                          " (pod is not owner)"};
}

bool fully_bound(const Value& claim) {
  return !claim["spec"]["volumeName"].as_string().empty() &&
         model::annotations_of(claim).has(kBindCompleted);
}

bool volume_fits_node(const Value& volume, const NodeInfo& node) {
  const Value& required = volume["spec"]["nodeAffinity"]["required"];
  return required.is_null() || NodeSelector(required).matches(node.labels(), {});
}

Result<PodClaims> claims_of(const cluster::View& view, const PodInfo& pod) {
  PodClaims claims;
  for (const Value& volume : pod.spec()["volumes"].elements()) {
    const std::string name = claim_name_of(pod, volume);
    if (name.empty()) continue;
    const Value claim = view.get("persistentvolumeclaims", pod.namespace_, name);
    if (claim.is_null())
      return Error{.message = "error getting PVC \"" + pod.namespace_ + "/" + name + "\""};
    if (volume["ephemeral"].is_object()) {
      TRY_VOID(check_ephemeral(pod, claim));
    }
    if (fully_bound(claim)) {
      claims.bound.push_back(claim);
      continue;
    }
    TRY(const bool late, binds_late(view, claim));
    const bool free = claim["spec"]["volumeName"].as_string().empty();
    (late && free ? claims.delayed : claims.immediate).push_back(claim);
  }
  return claims;
}

Result<PodVolumes> find_volumes(const cluster::View& view, const PodClaims& claims,
                                const NodeInfo& node) {
  PodVolumes result;
  bool bound_fit = true, bound_exist = true;
  for (const Value& claim : claims.bound) {
    const Value volume = view.get("persistentvolumes", {}, claim["spec"]["volumeName"].as_string());
    if (volume.is_null()) {
      bound_exist = false;
      break;
    }
    if (!volume_fits_node(volume, node)) {
      bound_fit = false;
      break;
    }
  }
  ProvisionVerdict verdict;
  std::vector<Value> unmatched;
  for (const Value& claim : claims.delayed) {
    const Value* selected = model::annotations_of(claim).find(kSelectedNode);
    if (!selected) {
      unmatched.push_back(claim);
    } else if (selected->as_string() == node.name()) {
      result.provisions.push_back(claim);
    } else {
      verdict.satisfied = false;
      break;
    }
  }
  if (verdict.satisfied && !unmatched.empty()) {
    std::stable_sort(unmatched.begin(), unmatched.end(), [](const Value& a, const Value& b) {
      return requested_of(a) < requested_of(b);
    });
    const std::vector<Value> volumes = view.list("persistentvolumes");
    std::vector<std::string> taken;
    for (const Value& claim : unmatched) {
      TRY(Value volume, matching_volume(claim, volumes, taken, node));
      if (volume.is_null()) {
        result.provisions.push_back(claim);
        continue;
      }
      taken.emplace_back(model::name_of(volume));
      result.matches.push_back({claim, std::move(volume)});
    }
  }
  if (verdict.satisfied && !result.provisions.empty()) {
    TRY(verdict, check_provisions(view, result.provisions, node));
  }
  if (!bound_fit)
    result.reasons.emplace_back("node(s) didn't match PersistentVolume's node affinity");
  if (!verdict.satisfied)
    result.reasons.emplace_back("node(s) didn't find available persistent volumes to bind");
  if (!verdict.enough) result.reasons.emplace_back("node(s) did not have enough free storage");
  if (!bound_exist)
    result.reasons.emplace_back(
        "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
  return result;
}

}  // namespace keelson::sched
