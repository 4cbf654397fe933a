// See protection.h.
#include "control/protection/protection.h"

#include <algorithm>
#include <string>

#include "control/common/script.h"
#include "control/common/templates.h"
#include "model/finalizers.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

constexpr std::string_view kClaims = "persistentvolumeclaims";
constexpr std::string_view kVolumes = "persistentvolumes";
constexpr std::string_view kClaimFinalizer = "kubernetes.io/pvc-protection";
constexpr std::string_view kVolumeFinalizer = "kubernetes.io/pv-protection";

// Names of the claims that a pod mounts, those made for its ephemeral volumes too.
std::vector<std::string> claims_of(const Value& pod) {
  std::vector<std::string> names;
  for (const Value& volume : pod["spec"]["volumes"].elements()) {
    if (const Value& claim = volume["persistentVolumeClaim"]; !claim.is_null())
      names.push_back(claim["claimName"].str());
    else if (!volume["ephemeral"].is_null())
      names.push_back(std::string(model::name_of(pod)) + "-" + volume["name"].str());
  }
  return names;
}

// A pod that has no node yet does not count: no kubelet starts one with a claim that goes.
bool is_used(const cluster::View& view, const Value& claim) {
  for (const Value& pod : view.list("pods", model::namespace_of(claim))) {
    if (model::pod_is_finished(pod) || pod["spec"]["nodeName"].as_string().empty()) continue;
    const std::vector<std::string> names = claims_of(pod);
    if (std::find(names.begin(), names.end(), model::name_of(claim)) != names.end()) return true;
  }
  return false;
}

// Puts the finalizer on, or takes it off, an object of this revision.
cluster::Plan set_finalizer(std::string_view resource, const Value& object,
                            std::string_view finalizer, bool on) {
  Value finalizers =
      on ? model::finalizers_with(object, finalizer) : model::finalizers_without(object, finalizer);
  cluster::Write write = remove(resource, object);
  write.verb = cluster::Write::Verb::merge_patch;
  write.uid = model::uid_of(object);
  write.revision = model::revision_of(object);
  if (finalizers.empty()) finalizers = Value();
  write.object =
      Value::object({{"metadata", Value::object({{"finalizers", std::move(finalizers)}})}});
  return Script::run([write = std::move(write)](Script& script) -> Result<void> {
    const Result<Value> result = script.write(write);
    if (result.ok() || result.error().reason == Reason::not_found) return {};
    return result.error();
  });
}

// A used one keeps the finalizer while it is being deleted; a live one always has it.
cluster::Plan protect(std::string_view resource, const Value& object, std::string_view finalizer,
                      bool used) {
  if (object.is_null()) return {};
  const bool has = model::has_finalizer(object, finalizer);
  if (model::is_deleting(object))
    return has && !used ? set_finalizer(resource, object, finalizer, false) : cluster::Plan();
  return has ? cluster::Plan() : set_finalizer(resource, object, finalizer, true);
}

// The claims of a pod that went, finished, or is another one of its name.
std::vector<cluster::Key> keys_of_pod(const cluster::View& view, const Value& before,
                                      const Value& after) {
  std::vector<cluster::Key> keys;
  if (before.is_null() || (!after.is_null() && !model::pod_is_finished(after))) return keys;
  for (std::string& name : claims_of(before))
    if (model::is_deleting(view.get(kClaims, model::namespace_of(before), name)))
      keys.push_back({std::string(model::namespace_of(before)), std::move(name)});
  return keys;
}

}  // namespace

std::vector<cluster::Watch> ClaimProtection::watches() const {
  return {cluster::watch_self(std::string(kClaims)), {"pods", keys_of_pod}};
}

cluster::Plan ClaimProtection::reconcile(const cluster::Sync& sync) {
  const Value claim = sync.view.get(kClaims, sync.key.namespace_, sync.key.name);
  const bool used = model::is_deleting(claim) && is_used(sync.view, claim);
  return protect(kClaims, claim, kClaimFinalizer, used);
}

std::vector<cluster::Watch> VolumeProtection::watches() const {
  return {cluster::watch_self(std::string(kVolumes))};
}

cluster::Plan VolumeProtection::reconcile(const cluster::Sync& sync) {
  const Value volume = sync.view.get(kVolumes, "", sync.key.name);
  const bool used = volume.at("status.phase").as_string() == "Bound";
  return protect(kVolumes, volume, kVolumeFinalizer, used);
}

}  // namespace keelson::control
