// ResourceQuota: what a write adds to the usage of its namespace must fit every quota that counts
// it; the new usage is written in the same transaction as the object.
#include <map>

#include "base/text.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "model/quota_usage.h"
#include "registry/admission/admission.h"

namespace keelson::registry::admission {

using model::Quantity;

namespace {

using Usage = model::QuotaUsage;

// Quotas on cpu and memory demand that every container says what it needs.
std::string unspecified(const Value& pod, const std::vector<std::string>& names) {
  if (!pod["spec"]["resources"]["requests"].empty() || !pod["spec"]["resources"]["limits"].empty())
    return {};
  std::map<std::string, std::vector<std::string>> missing;
  for (const std::string& name : names) {
    std::string part = "requests", what = name;
    if (name.starts_with("requests.")) what = name.substr(9);
    if (name.starts_with("limits.")) {
      part = "limits";
      what = name.substr(7);
    }
    if (what != "cpu" && what != "memory") continue;
    std::map<std::string, bool> containers;
    for (const char* list : {"containers", "initContainers"})
      for (const Value& container : pod["spec"][list].elements())
        if (!container["resources"][part].has(what)) containers[container["name"].str()] = true;
    for (const auto& [container, absent] : containers)
      if (absent) missing[name].push_back(container);
  }
  std::vector<std::string> parts;
  for (const auto& [name, containers] : missing)
    parts.push_back(name + " for: " + join(containers, ","));
  return parts.empty() ? std::string() : "must specify " + join(parts, "; ");
}

std::string text_of(const Usage& usage) {
  std::vector<std::string> parts;
  for (const auto& [name, amount] : usage) parts.push_back(name + "=" + amount.text());
  return join(parts, ",");
}

Usage delta_of(const Usage& now, const Usage& before) {
  Usage out;
  for (const auto& [name, amount] : now) {
    const auto old = before.find(name);
    const Quantity more = old == before.end() ? amount : amount - old->second;
    if (more > Quantity()) out[name] = more;
  }
  return out;
}

// Checks one quota and gives the usage that it has afterwards.
Result<Value> charge(const Admission& admission, const Value& quota, const Usage& delta) {
  Usage requested, exceeded_requested, exceeded_used, exceeded_hard;
  Value used = quota["status"]["used"];
  for (const codec::Member& hard : quota["status"]["hard"].members()) {
    const auto more = delta.find(hard.key());
    if (more == delta.end()) continue;
    const Quantity before = Quantity::of(used[hard.key()]);
    const Quantity after = before + more->second;
    if (after > Quantity::of(hard.value)) {
      const std::string name(hard.key());
      exceeded_requested[name] = more->second;
      exceeded_used[name] = before;
      exceeded_hard[name] = Quantity::of(hard.value);
    }
    used.set(hard.key(), after.text());
  }
  if (!exceeded_hard.empty())
    return admission.refuse("exceeded quota: " + std::string(model::name_of(quota)) +
                            ", requested: " + text_of(exceeded_requested) + ", used: " +
                            text_of(exceeded_used) + ", limited: " + text_of(exceeded_hard));
  return used;
}

// Kinds whose changes may use more; of the others only creation counts.
bool counts(const Admission& admission) {
  if (admission.removing() || admission.namespace_name().empty()) return false;
  const std::string_view name = admission.resource();
  if (name == "pods")
    return (admission.creating() && admission.subresource().empty()) ||
           admission.subresource() == "resize";
  if (!admission.subresource().empty()) return false;
  if (name == "services" || name == "persistentvolumeclaims") return true;
  return admission.creating() && name != "events" && name != "namespaces";
}

}  // namespace

Result<void> resource_quota(Admission& admission) {
  if (!counts(admission)) return {};
  const std::string name = admission.call().storage->name();
  const Instant now = admission.call().now;
  const Value& object = admission.object();
  Usage usage, before;
  for (const store::EntryPtr& entry :
       admission.state().entries("resourcequotas", admission.namespace_name())) {
    const Value& quota = entry->value();
    const std::vector<std::string> names = model::quota_names(quota["status"]["hard"], name);
    if (names.empty() || !model::quota_matches(quota, name, object)) continue;
    if (name == "pods")
      if (const std::string why = unspecified(object, names); !why.empty())
        return admission.refuse("failed quota: " + std::string(model::name_of(quota)) + ": " + why);
    for (const std::string& one : names)
      if (!quota["status"]["used"].has(one))
        return admission.refuse("status unknown for quota: " + std::string(model::name_of(quota)) +
                                ", resources: " + join(names, ","));
    if (usage.empty()) {
      usage = model::quota_usage(name, object, now);
      if (admission.updating()) before = model::quota_usage(name, admission.old(), now);
    }
    const bool was_counted =
        admission.updating() && model::quota_matches(quota, name, admission.old());
    const Usage delta = delta_of(usage, was_counted ? before : Usage());
    if (delta.empty()) continue;
    TRY(Value used, charge(admission, quota, delta));
    if (used == quota["status"]["used"] || admission.call().request.dry()) continue;
    Value changed = quota;
    changed.edit("status").set("used", std::move(used));
    changed.edit("metadata").set("resourceVersion", admission.state().store.next_revision().text());
    admission.call().also.push_back({std::string(entry->key()), to_object_json(changed), changed});
  }
  return {};
}

}  // namespace keelson::registry::admission
