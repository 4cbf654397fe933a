// What the quota controller watches, and the counting.
#include "control/resourcequota/resourcequota.h"

#include <algorithm>

#include "control/common/claims.h"
#include "control/common/templates.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "model/quota_usage.h"

namespace keelson::control {
namespace {

constexpr std::string_view kQuotas = "resourcequotas";

bool same_amounts(const Value& a, const Value& b) {
  return a.size() == b.size() &&
         std::all_of(a.members().begin(), a.members().end(), [&](const codec::Member& m) {
           const Value* other = b.find(m.key());
           return other != nullptr && model::Quantity::of(m.value) == model::Quantity::of(*other);
         });
}

bool resized(const Value& before, const Value& after) {
  for (const char* list : {"containerStatuses", "initContainerStatuses"})
    for (const Value& was : before["status"][list].elements())
      for (const Value& is : after["status"][list].elements())
        if (was["name"] == is["name"] && !same_content(was["resources"], is["resources"]))
          return true;
  return false;
}

// Whether a change may free something. Time alone frees nothing here (a pod that should be gone by
// now): that is left to the resync, as in the original.
bool frees(const std::string& resource, const Value& before, const Value& after) {
  if (after.is_null()) return true;
  if (before.is_null()) return false;
  if (resource == "pods")
    return resized(before, after) ||
           before["spec"].has("activeDeadlineSeconds") !=
               after["spec"].has("activeDeadlineSeconds") ||
           (!model::pod_is_finished(before) && model::pod_is_finished(after)) ||
           before["metadata"]["deletionGracePeriodSeconds"] !=
               after["metadata"]["deletionGracePeriodSeconds"];
  if (resource == "services") {
    const auto counted = [](const Value& service) {
      const std::string_view type = service["spec"]["type"].as_string();
      return type == "NodePort" || type == "LoadBalancer" ? type : std::string_view();
    };
    return counted(before) != counted(after);
  }
  if (resource == "persistentvolumeclaims")
    return before["status"]["allocatedResources"]["storage"] !=
               after["status"]["allocatedResources"]["storage"] ||
           before["spec"]["volumeAttributesClassName"] !=
               after["spec"]["volumeAttributesClassName"];
  return false;
}

// The quotas of the object's namespace that limit its kind.
std::vector<cluster::Key> limiting(const cluster::View& view, const std::string& resource,
                                   const Value& object) {
  std::vector<cluster::Key> keys;
  for (const Value& quota : view.list(kQuotas, model::namespace_of(object)))
    if (!model::quota_names(quota["status"]["hard"], resource).empty())
      keys.push_back(key_of(quota));
  return keys;
}

}  // namespace

Value quota_status(const QuotaInputs& inputs) {
  const Value& hard = inputs.quota["spec"]["hard"];
  model::QuotaUsage used;
  for (const auto& [resource, objects] : inputs.objects) {
    const std::vector<std::string> names = model::quota_names(hard, resource);
    for (const std::string& name : names) used.try_emplace(name);
    for (const Value& object : objects) {
      if (!model::quota_matches(inputs.quota, resource, object)) continue;
      const model::QuotaUsage usage = model::quota_usage(resource, object, inputs.now);
      for (const std::string& name : names)
        if (const auto at = usage.find(name); at != usage.end())
          used[name] = used[name].is_zero() ? at->second : used[name] + at->second;
    }
  }
  Value amounts = Value::object();
  for (const codec::Member& limit : hard.members()) {
    if (const auto at = used.find(limit.key()); at != used.end())
      amounts.set(limit.key(), at->second.text());
    else if (const Value* before = inputs.quota["status"]["used"].find(limit.key()))
      amounts.set(limit.key(), *before);
  }
  return Value::object({{"hard", hard.is_object() ? hard : Value::object()}, {"used", amounts}});
}

bool same_quota_status(const Value& a, const Value& b) {
  return a.has("hard") == b.has("hard") && a.has("used") == b.has("used") &&
         same_amounts(a["hard"], b["hard"]) && same_amounts(a["used"], b["used"]);
}

ResourceQuotaController::ResourceQuotaController(std::vector<ObjectKind> kinds,
                                                 ResourceQuotaOptions options)
    : kinds_(std::move(kinds)), options_(options) {
  std::erase_if(kinds_, [](const ObjectKind& kind) { return !kind.namespaced || kind.is_event(); });
}

std::vector<cluster::Watch> ResourceQuotaController::watches() const {
  std::vector<cluster::Watch> all;
  all.push_back(
      {std::string(kQuotas), [](const cluster::View&, const Value& before, const Value& after) {
         std::vector<cluster::Key> keys;
         // Changes of the status are this controller's or admission's own.
         if (before.is_null() || after.is_null() ||
             !same_amounts(before["spec"]["hard"], after["spec"]["hard"]))
           keys.push_back(key_of(after.is_null() ? before : after));
         return keys;
       }});
  for (const ObjectKind& kind : kinds_)
    all.push_back(
        {kind.resource, [resource = kind.resource](const cluster::View& view, const Value& before,
                                                   const Value& after) {
           if (!frees(resource, before, after)) return std::vector<cluster::Key>{};
           return limiting(view, resource, after.is_null() ? before : after);
         }});
  return all;
}

// A key that is no quota: its sync only notes when the controller began.
std::vector<cluster::Key> ResourceQuotaController::start(const cluster::View&) {
  return {cluster::Key{}};
}

cluster::Plan ResourceQuotaController::reconcile(const cluster::Sync& sync) {
  if (started_.is_zero()) started_ = sync.now;
  QuotaInputs inputs;
  inputs.quota = sync.view.get(kQuotas, sync.key.namespace_, sync.key.name);
  inputs.now = sync.now;
  if (inputs.quota.is_null()) return {};
  for (const ObjectKind& kind : kinds_)
    if (!model::quota_names(inputs.quota["spec"]["hard"], kind.resource).empty())
      inputs.objects[kind.resource] = sync.view.list(kind.resource, sync.key.namespace_);
  cluster::Plan plan;
  const std::int64_t resyncs =
      (sync.now - started_).count_nanoseconds() / options_.resync.count_nanoseconds();
  plan.wake_at = started_ + options_.resync * (resyncs + 1);
  Value status = quota_status(inputs);
  if (same_quota_status(status, inputs.quota["status"])) return plan;
  Value changed = std::move(inputs.quota);
  changed.set("status", std::move(status));
  plan.writes.push_back(update(kQuotas, std::move(changed), "status"));
  return plan;
}

}  // namespace keelson::control
