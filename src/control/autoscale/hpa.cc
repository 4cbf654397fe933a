#include "control/autoscale/hpa.h"

#include "control/common/script.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

using cluster::Plan;
using cluster::Write;
using codec::Value;

constexpr std::string_view kHpas = "horizontalpodautoscalers.autoscaling";

std::string target_resource(const Value& hpa) {
  const std::string_view kind = hpa["spec"]["scaleTargetRef"]["kind"].as_string();
  if (kind == "Deployment") return "deployments.apps";
  if (kind == "ReplicaSet") return "replicasets.apps";
  if (kind == "StatefulSet") return "statefulsets.apps";
  return "replicationcontrollers";
}

// The scale subresource as messages name it: "deployments/scale.apps".
std::string scale_name(const std::string& resource) {
  const std::size_t dot = resource.find('.');
  return dot == std::string::npos ? resource + "/scale"
                                  : resource.substr(0, dot) + "/scale" + resource.substr(dot);
}

cluster::EventNote note_of(const Value& hpa, const HpaEvent& event) {
  return {
      .regarding = hpa, .warning = event.warning, .reason = event.reason, .message = event.message};
}

Write status_write(const Value& hpa, Value status) {
  // A merge patch takes away only what it names.
  for (const char* key : {"currentMetrics", "conditions", "lastScaleTime", "currentReplicas"})
    if (status[key].is_null() && hpa["status"].has(key)) status.set(key, Value());
  return {.verb = Write::Verb::merge_patch,
          .resource = std::string(kHpas),
          .namespace_ = std::string(model::namespace_of(hpa)),
          .name = std::string(model::name_of(hpa)),
          .subresource = "status",
          .object = Value::object({{"status", std::move(status)}})};
}

// The second half of a sync: what was decided, with the outcome of the scale's write, into events
// and the status.
void report(Script& script, const HpaInput& input, const HpaDecision& decision,
            const std::string& scale_error, HpaMemory& memory) {
  HpaOutcome outcome = finish(input, decision, scale_error, memory);
  for (const HpaEvent& event : outcome.events) script.event(note_of(input.hpa, event));
  if (outcome.status_changed) {
    const Result<Value> written = script.write(status_write(input.hpa, std::move(outcome.status)));
    if (!written.ok())
      script.event(note_of(input.hpa, {true, "FailedUpdateStatus", written.error().message}));
  }
  if (outcome.late_event) script.event(note_of(input.hpa, *outcome.late_event));
}

}  // namespace

std::optional<Scale> scale_of_target(const cluster::View& view, const Value& hpa) {
  const std::string resource = target_resource(hpa);
  const Value target = view.get(resource, model::namespace_of(hpa),
                                hpa["spec"]["scaleTargetRef"]["name"].as_string());
  if (target.is_null()) return std::nullopt;
  const Value& selector = target["spec"]["selector"];
  auto parsed = resource == "replicationcontrollers"
                    ? Result<model::LabelSelector>(model::LabelSelector::of_map(selector))
                    : model::LabelSelector::of(selector);
  return Scale{static_cast<std::int32_t>(target["spec"]["replicas"].as_int(1)),
               static_cast<std::int32_t>(target["status"]["replicas"].as_int()),
               parsed.ok() ? parsed->text() : std::string()};
}

std::vector<cluster::Watch> HpaController::watches() const {
  // Its own writes of the status change nothing that it decides on.
  return {{std::string(kHpas), [](const cluster::View&, const Value& before, const Value& after) {
             const Value& object = after.is_null() ? before : after;
             if (!before.is_null() && !after.is_null() && before["spec"] == after["spec"])
               return std::vector<cluster::Key>{};
             return std::vector<cluster::Key>{
                 {std::string(model::namespace_of(object)), std::string(model::name_of(object))}};
           }}};
}

Plan HpaController::reconcile(const cluster::Sync& sync) {
  const Value hpa = sync.view.get(kHpas, sync.key.namespace_, sync.key.name);
  Plan plan;
  if (hpa.is_null()) {
    known_.erase(sync.key);
    return plan;
  }
  auto [entry, fresh] = known_.try_emplace(sync.key);
  Known& known = entry->second;
  if (fresh) known.due = sync.now + kHpaPeriod;
  if (sync.now < known.due) {
    plan.wake_at = known.due;
    return plan;
  }
  known.due = sync.now + kHpaPeriod;

  HpaInput input{.hpa = hpa,
                 .scale = {},
                 .failure = {},
                 .pods = sync.view.list("pods", sync.key.namespace_),
                 .others = {},
                 .metrics = &metrics_,
                 .now = sync.now,
                 .options = options_};
  if (const std::string unknown = unknown_target(hpa); !unknown.empty()) {
    input.failure = scale_failure(hpa, unknown);
  } else {
    input.scale = scale_of_target(sync.view, hpa);
    if (!input.scale)
      input.failure =
          scale_failure(hpa, scale_name(target_resource(hpa)) + " \"" +
                                 hpa["spec"]["scaleTargetRef"]["name"].str() + "\" not found");
  }
  for (const Value& other : sync.view.list(kHpas, sync.key.namespace_)) {
    if (model::name_of(other) == sync.key.name || !unknown_target(other).empty()) continue;
    const auto scale = scale_of_target(sync.view, other);
    if (!scale) continue;
    if (auto selector = model::LabelSelector::parse(scale->selector); selector.ok())
      input.others.emplace_back(sync.key.namespace_ + "/" + std::string(model::name_of(other)),
                                *selector);
  }

  const HpaDecision decision = decide(input, known.memory);
  return Script::run([this, key = sync.key, input = std::move(input), decision, due = known.due,
                      memory = known.memory](Script& script) -> Result<void> {
    script.wake_at(due);
    std::string scale_error;
    if (decision.rescale) {
      const Result<Value> scaled = script.write(
          {.verb = Write::Verb::merge_patch,
           .resource = target_resource(input.hpa),
           .namespace_ = key.namespace_,
           .name = input.hpa["spec"]["scaleTargetRef"]["name"].str(),
           .subresource = "scale",
           .object = Value::object({{"spec", Value::object({{"replicas", decision.desired}})}})});
      if (script.waiting()) return {};
      if (!scaled.ok()) scale_error = scaled.error().message;
    }
    HpaMemory after = memory;  // each run of the body begins with the same
    report(script, input, decision, scale_error, after);
    // The object may have been deleted in between; then there is nothing to remember for it.
    if (const auto still = known_.find(key); !script.waiting() && still != known_.end())
      still->second.memory = std::move(after);
    return {};
  });
}

}  // namespace keelson::control
