// What one sync of a budget decides. Pure; see disruption.h.
#include <algorithm>

#include "control/common/templates.h"
#include "control/disruption/disruption.h"
#include "model/conditions.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

constexpr std::string_view kBudgets = "poddisruptionbudgets.policy";
// An eviction that was granted and is not seen after so long does not come any more.
constexpr Duration kDeletionTimeout = Duration::minutes(2), kStaleAfter = Duration::minutes(2);
// A recheck is queued as a first retry is, so it comes just after the time that it waits for.
constexpr Duration kRecheckDelay = Duration::milliseconds(5);

struct Counts {
  std::int64_t current = 0, desired = 0, expected = 0, allowed = 0;
};

// As Go prints a LabelSelector.
std::string selector_text(const Value& selector) {
  std::string text = "&LabelSelector{MatchLabels:map[string]string{";
  for (const codec::Member& m : selector["matchLabels"].members())
    text += std::string(m.key()) + ": " + m.value.str() + ",";
  text += "},MatchExpressions:[]LabelSelectorRequirement{";
  for (const Value& one : selector["matchExpressions"].elements()) {
    text += "LabelSelectorRequirement{Key:" + one["key"].str() +
            ",Operator:" + one["operator"].str() + ",Values:[";
    for (std::size_t i = 0; i < one["values"].size(); ++i)
      text += (i == 0 ? "" : " ") + one["values"][i].str();
    text += "],},";
  }
  return text + "},}";
}

Result<Counts> expected_counts(const DisruptionInputs& inputs, Script& script) {
  const Value& budget = inputs.budget;
  const Value& spec = budget["spec"];
  Counts counts;
  if (needs_scale(budget)) {
    if (!inputs.scale.ok()) {
      script.event(warning(
          budget, "CalculateExpectedPodCountFailed",
          "Failed to calculate the number of expected pods: " + inputs.scale.error().message));
      return inputs.scale.error();
    }
    counts.expected = inputs.scale->pods;
    if (const Value& most = spec["maxUnavailable"]; !most.is_null())
      counts.desired =
          std::max<std::int64_t>(0, counts.expected - scaled(most, counts.expected, true));
    else
      counts.desired = scaled(spec["minAvailable"], counts.expected, true);
  } else if (const Value& least = spec["minAvailable"]; !least.is_null()) {
    counts.desired = least.as_int();
    counts.expected = static_cast<std::int64_t>(inputs.pods.size());
  }
  if (needs_scale(budget) && inputs.scale->unmanaged)
    script.event(warning(
        budget, "UnmanagedPods",
        "Pods selected by this PodDisruptionBudget (selector: " + selector_text(spec["selector"]) +
            ") were found to be unmanaged. As a result, the status of the PDB cannot be calculated "
            "correctly, which may result in undefined behavior. To account for these pods please "
            "set \".spec.minAvailable\" field of the PDB to an integer value."));
  return counts;
}

// The pods whose evictions were granted and are still to come. `recheck` is when the next of them
// is given up.
Value still_disrupted(const DisruptionInputs& inputs, Script& script,
                      std::optional<Instant>& recheck) {
  Value left = Value::object();
  const Value& disrupted = inputs.budget["status"]["disruptedPods"];
  for (const Value& pod : inputs.pods) {
    const Value& since = disrupted[model::name_of(pod)];
    if (since.is_null() || model::is_deleting(pod)) continue;
    const Instant given_up = model::time_of(since) + kDeletionTimeout;
    if (given_up < inputs.now) {
      // The original names the namespace twice, and not the budget.
      const std::string ns(model::namespace_of(inputs.budget));
      script.event(
          warning(pod, "NotDeleted",
                  "Pod was expected by PDB " + ns + "/" + ns + " to be deleted but it wasn't"));
      continue;
    }
    recheck = recheck ? std::min(*recheck, given_up) : given_up;
    left.set(model::name_of(pod), since);
  }
  return left;
}

std::int64_t healthy_pods(const DisruptionInputs& inputs, const Value& disrupted) {
  return std::count_if(inputs.pods.begin(), inputs.pods.end(), [&](const Value& pod) {
    const Value& since = disrupted[model::name_of(pod)];
    const bool going = !since.is_null() && model::time_of(since) + kDeletionTimeout > inputs.now;
    return !model::is_deleting(pod) && !going && model::pod_is_ready(pod);
  });
}

void set_allowed(Value& status, const char* value, const char* reason, const std::string& message,
                 Instant now) {
  model::put_condition(status,
                       Value::object({{"type", "DisruptionAllowed"},
                                      {"status", value},
                                      {"reason", reason},
                                      {"message", message},
                                      {"observedGeneration", status["observedGeneration"].as_int()},
                                      {"lastTransitionTime", to_rfc3339(now)}}));
}

Result<void> write_status(const Value& budget, Value status, Script& script) {
  Value changed = budget;
  changed.set("status", std::move(status));
  TRY(changed, script.write(update(kBudgets, std::move(changed), "status")));
  return {};
}

// Nothing is known for certain, so nothing may be evicted.
Result<void> allow_none(const DisruptionInputs& inputs, const Error& why, Script& script) {
  Value status = inputs.budget["status"].is_object() ? inputs.budget["status"] : Value::object();
  for (const char* count :
       {"currentHealthy", "desiredHealthy", "expectedPods", "observedGeneration"})
    status.set(count, status[count].as_int());
  status.set("disruptionsAllowed", 0);
  set_allowed(status, "False", "SyncFailed", why.message, inputs.now);
  return write_status(inputs.budget, std::move(status), script);
}

}  // namespace

bool needs_scale(const Value& budget) {
  const Value& spec = budget["spec"];
  return !spec["maxUnavailable"].is_null() || spec["minAvailable"].is_string();
}

std::optional<Instant> disruption_stale_at(const Value& pod) {
  const Value& condition = model::condition_of(pod, "DisruptionTarget");
  // What the kubelet says may take as long as it likes.
  if (model::is_deleting(pod) || condition["status"].as_string() != "True" ||
      condition["reason"].as_string() == "TerminationByKubelet" || model::pod_is_finished(pod))
    return std::nullopt;
  return model::time_of(condition["lastTransitionTime"]) + kStaleAfter;
}

Result<void> sync_budget(const DisruptionInputs& inputs, Script& script) {
  const Value& budget = inputs.budget;
  if (!inputs.selector_error.empty()) {
    script.event(warning(budget, "NoPods", "Failed to get pods: " + inputs.selector_error));
    return allow_none(inputs, {Reason::invalid, inputs.selector_error}, script);
  }
  if (inputs.pods.empty()) script.event(normal(budget, "NoPods", "No matching pods found"));
  auto counted = expected_counts(inputs, script);
  if (!counted.ok()) return allow_none(inputs, counted.error(), script);
  Counts counts = *counted;

  std::optional<Instant> recheck;
  const Value disrupted = still_disrupted(inputs, script, recheck);
  counts.current = healthy_pods(inputs, disrupted);
  // A budget without pods allows nothing: its first pods may be there before it is looked at again.
  counts.allowed =
      counts.expected <= 0 ? 0 : std::max<std::int64_t>(0, counts.current - counts.desired);

  Value status = Value::object({{"currentHealthy", counts.current},
                                {"desiredHealthy", counts.desired},
                                {"expectedPods", counts.expected},
                                {"disruptionsAllowed", counts.allowed},
                                {"observedGeneration", model::generation_of(budget)}});
  if (!disrupted.empty()) status.set("disruptedPods", disrupted);
  if (!budget["status"]["conditions"].empty())
    status.set("conditions", budget["status"]["conditions"]);
  const bool some = counts.allowed > 0;
  set_allowed(status, some ? "True" : "False", some ? "SufficientPods" : "InsufficientPods", "",
              inputs.now);
  if (!same_content(status, budget["status"]))
    TRY_VOID(write_status(budget, std::move(status), script));
  if (recheck) script.wake_at(std::max(*recheck, inputs.now) + kRecheckDelay);
  return {};
}

}  // namespace keelson::control
