// What the disruption controller watches, and whose scale its budgets are measured by.
//
// A key is a budget, or "pods/NAME" for a pod whose DisruptionTarget condition is to be looked at:
// no name of an object has a slash.
#include "control/disruption/disruption.h"

#include <algorithm>

#include "control/common/claims.h"
#include "control/common/templates.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace {

constexpr std::string_view kBudgets = "poddisruptionbudgets.policy", kPodKey = "pods/";

// Budgets of the pod's namespace that select it. Here an empty selector selects everything.
std::vector<Value> budgets_of(const cluster::View& view, const Value& pod) {
  std::vector<Value> found = view.list(kBudgets, model::namespace_of(pod));
  std::erase_if(found, [&](const Value& budget) {
    const auto selector = model::LabelSelector::of(budget["spec"]["selector"]);
    return !selector.ok() || !selector->matches(model::labels_of(pod));
  });
  return found;
}

}  // namespace

std::vector<cluster::Key> DisruptionController::keys_of_pod(const cluster::View& view,
                                                            const Value& pod, bool gone) const {
  std::vector<cluster::Key> keys;
  for (const Value& budget : budgets_of(view, pod)) keys.push_back(key_of(budget));
  if (keys.size() > 1)
    untold_[keys.front()].push_back(
        warning(pod, "MultiplePodDisruptionBudgets",
                "Pod \"" + std::string(model::namespace_of(pod)) + "\"/\"" +
                    std::string(model::name_of(pod)) +
                    "\" matches multiple PodDisruptionBudgets.  Chose \"" + keys.front().name +
                    "\" arbitrarily."));
  if (!gone && disruption_stale_at(pod))
    keys.push_back({std::string(model::namespace_of(pod)),
                    std::string(kPodKey) + std::string(model::name_of(pod))});
  return keys;
}

std::vector<cluster::Watch> DisruptionController::watches() const {
  return {{"pods",
           [this](const cluster::View& view, const Value& before, const Value& after) {
             return keys_of_pod(view, after.is_null() ? before : after, after.is_null());
           }},
          cluster::watch_self(std::string(kBudgets))};
}

// The workload at the top of what controls a pod: a Deployment for the pods of its ReplicaSets, or
// whatever has a scale subresource. nullopt: it is gone, or another one of the same name.
Result<std::optional<DisruptionController::Scaled>> DisruptionController::scale_of(
    const cluster::View& view, const Value& controller, std::string_view ns) const {
  const std::string group = model::group_version_of(controller["apiVersion"].as_string()).group;
  const std::string kind_name = controller["kind"].str();
  const auto kind = std::find_if(kinds_.begin(), kinds_.end(), [&](const ObjectKind& one) {
    return one.group == group && one.kind == kind_name;
  });
  if (kind == kinds_.end())
    return Error{Reason::not_found, "no matches for kind \"" + kind_name + "\" in version \"" +
                                        controller["apiVersion"].str() + "\""};
  if (kind->scale_path.empty())
    return Error{Reason::not_found, kind->resource + " does not implement the scale subresource"};
  Value object = view.get(kind->resource, ns, controller["name"].as_string());
  if (object.is_null() || model::uid_of(object) != controller["uid"].as_string())
    return std::optional<Scaled>();
  if (kind->resource == "replicasets.apps") {
    const Value& above = model::controller_of(object);
    if (above["kind"].as_string() == "Deployment") {
      const Value deployment = view.get("deployments.apps", ns, above["name"].as_string());
      if (model::uid_of(deployment) == above["uid"].as_string()) object = deployment;
    }
  }
  return std::optional<Scaled>(
      Scaled{std::string(model::uid_of(object)), object.at(kind->scale_path).as_int()});
}

Result<ExpectedScale> DisruptionController::expected_scale(const cluster::View& view,
                                                           const Pods& pods) const {
  ExpectedScale expected;
  std::map<std::string, std::int64_t> scales;  // by uid
  for (const Value& pod : pods) {
    const Value& controller = model::controller_of(pod);
    if (controller.is_null()) {
      expected.unmanaged = true;
      continue;
    }
    if (scales.contains(controller["uid"].str())) continue;
    TRY(const std::optional<Scaled> scaled, scale_of(view, controller, model::namespace_of(pod)));
    if (!scaled)
      return Error{Reason::not_found,
                   "found no controllers for pod \"" + std::string(model::name_of(pod)) + "\""};
    scales[scaled->uid] = scaled->replicas;
  }
  for (const auto& [uid, replicas] : scales) expected.pods += replicas;
  return expected;
}

cluster::Plan DisruptionController::clean_pod(const cluster::Sync& sync) const {
  const std::string name = sync.key.name.substr(kPodKey.size());
  Value pod = sync.view.get("pods", sync.key.namespace_, name);
  cluster::Plan plan;
  const auto stale_at = disruption_stale_at(pod);
  if (!stale_at) return plan;
  if (*stale_at > sync.now) {
    plan.wake_at = stale_at;
    return plan;
  }
  Value condition = model::condition_of(pod, "DisruptionTarget");
  condition.set("status", "False");
  condition.set("lastTransitionTime", to_rfc3339(sync.now));
  for (const char* key : {"reason", "message"}) condition.erase(key);
  for (Value& one : pod.edit("status").edit("conditions").edit_elements())
    if (one["type"] == condition["type"]) one = condition;
  plan.writes.push_back(update("pods", pod, "status"));
  return plan;
}

cluster::Plan DisruptionController::reconcile(const cluster::Sync& sync) {
  if (sync.key.name.starts_with(kPodKey)) return clean_pod(sync);
  std::vector<cluster::EventNote> untold;
  if (const auto at = untold_.find(sync.key); at != untold_.end()) {
    untold = std::move(at->second);
    untold_.erase(at);
  }
  DisruptionInputs inputs;
  inputs.now = sync.now;
  inputs.budget = sync.view.get(kBudgets, sync.key.namespace_, sync.key.name);
  if (inputs.budget.is_null()) return {};
  const auto selector = model::LabelSelector::of(inputs.budget["spec"]["selector"]);
  if (selector.ok()) {
    for (Value& pod : sync.view.list("pods", sync.key.namespace_))
      if (selector->matches(model::labels_of(pod))) inputs.pods.push_back(std::move(pod));
  } else {
    inputs.selector_error = selector.error().message;
  }
  if (needs_scale(inputs.budget)) inputs.scale = expected_scale(sync.view, inputs.pods);
  return Script::run([inputs = std::move(inputs), untold = std::move(untold)](Script& script) {
    for (const cluster::EventNote& event : untold) script.event(event);
    return sync_budget(inputs, script);
  });
}

}  // namespace keelson::control
