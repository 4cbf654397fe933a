#include "control/autoscale/hpa_plan.h"

#include <algorithm>

#include "control/autoscale/hpa_limits.h"
#include "model/conditions.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

using codec::Value;

void set_condition(Value& status, std::string_view type, bool is_true, std::string_view reason,
                   std::string_view message, Instant now) {
  model::put_condition(status, Value::object({{"type", type},
                                              {"status", is_true ? "True" : "False"},
                                              {"reason", reason},
                                              {"message", message},
                                              {"lastTransitionTime", to_rfc3339(now)}}));
}

void remove_condition(Value& status, std::string_view type) {
  const Value& conditions = status["conditions"];
  for (std::size_t i = conditions.size(); i > 0; --i)
    if (conditions[i - 1]["type"].as_string() == type) status.edit("conditions").erase(i - 1);
}

bool condition_holds(const Value& status, std::string_view type) {
  for (const Value& condition : status["conditions"].elements())
    if (condition["type"].as_string() == type) return condition["status"].as_string() == "True";
  return false;
}

// What one metric came to: a proposal with the metric's name, or the first half of a failure.
struct MetricOutcome {
  std::int32_t replicas = 0;
  std::string name;
  Value status;        // element of status.currentMetrics
  std::string reason;  // of the condition, if it failed
  std::string detail;  // the condition's and event's text
  std::string error;   // the sync's
  bool ok() const { return error.empty(); }
};

MetricOutcome failed(std::string reason, std::string detail, const std::string& prefix) {
  MetricOutcome outcome;
  outcome.reason = std::move(reason);
  outcome.error = prefix + detail;
  outcome.detail = std::move(detail);
  outcome.status = Value::object({{"type", ""}});
  return outcome;
}

Value identifier(const Value& metric) {
  Value id = Value::object({{"name", metric["name"]}});
  if (!metric["selector"].is_null()) id.set("selector", metric["selector"]);
  return id;
}

std::int64_t milli(const Value& quantity) {
  return model::Quantity::of(quantity).milli_value();
}
// As it reads once it has been stored: 386581000 bytes become "386581k".
Value milli_text(std::int64_t value,
                 model::Quantity::Format format = model::Quantity::Format::decimal_si) {
  return model::Quantity::of(model::Quantity::milli(value, format).text()).text();
}

MetricOutcome measure_resource(const Situation& s, const Value& spec, const char* field,
                               bool of_container) {
  const Value& source = spec[field];
  const std::string resource = source["name"].str(),
                    container = of_container ? source["container"].str() : "";
  const Value& target = source["target"];
  const std::string reason =
      of_container ? "FailedGetContainerResourceMetric" : "FailedGetResourceMetric";
  const std::string prefix = "failed to get " +
                             (of_container ? container + " container" : resource + " resource") +
                             " metric value: ";
  const auto format = resource == "memory" ? model::Quantity::Format::binary_si
                                           : model::Quantity::Format::decimal_si;
  MetricOutcome outcome;
  Value current = Value::object();
  if (!target["averageValue"].is_null()) {
    auto proposal = propose_for_resource(s, resource, container, milli(target["averageValue"]));
    if (!proposal.ok())
      return failed(reason, "failed to get " + resource + " usage: " + proposal.error().message,
                    prefix);
    outcome.replicas = proposal->replicas;
    outcome.name = resource + " resource";
    current.set("averageValue", milli_text(proposal->usage, format));
  } else if (!target["averageUtilization"].is_null()) {
    auto proposal = propose_for_utilization(
        s, resource, container, static_cast<std::int32_t>(target["averageUtilization"].as_int()));
    if (!proposal.ok())
      return failed(reason,
                    "failed to get " + resource + " utilization: " + proposal.error().message,
                    prefix);
    outcome.replicas = proposal->replicas;
    outcome.name = resource + (of_container ? " container" : "") +
                   " resource utilization (percentage of request)";
    current.set("averageValue", milli_text(proposal->usage, format));
    current.set("averageUtilization", proposal->utilization);
  } else {
    return failed(reason,
                  "invalid resource metric source: neither an average utilization target nor an "
                  "average value (usage) "
                  "target was set",
                  prefix);
  }
  Value content = Value::object({{"name", resource}, {"current", current}});
  if (of_container) content.set("container", container);
  outcome.status = Value::object({{"type", spec["type"]}, {field, content}});
  return outcome;
}

MetricOutcome measure_pods(const Situation& s, const Value& spec) {
  const Value& metric = spec["pods"]["metric"];
  const std::string prefix = "failed to get pods metric value: ", reason = "FailedGetPodsMetric";
  auto selector = metric["selector"].is_null()
                      ? Result<model::LabelSelector>(model::LabelSelector::nothing())
                      : model::LabelSelector::of(metric["selector"]);
  if (!selector.ok()) return failed(reason, selector.error().message, prefix);
  auto proposal = propose_for_pods(s, metric["name"].str(), *selector,
                                   milli(spec["pods"]["target"]["averageValue"]));
  if (!proposal.ok()) return failed(reason, proposal.error().message, prefix);
  MetricOutcome outcome;
  outcome.replicas = proposal->replicas;
  outcome.name = "pods metric " + metric["name"].str();
  outcome.status = Value::object(
      {{"type", "Pods"},
       {"pods", Value::object({{"metric", identifier(metric)},
                               {"current", Value::object({{"averageValue",
                                                           milli_text(proposal->usage)}})}})}});
  return outcome;
}

MetricOutcome measure_object(const Situation& s, const Value& spec) {
  const Value& source = spec["object"];
  const Value& metric = source["metric"];
  const Value& target = source["target"];
  const std::string prefix = "failed to get object metric value: ",
                    reason = "FailedGetObjectMetric";
  const std::string name = metric["name"].str();
  auto selector = metric["selector"].is_null()
                      ? Result<model::LabelSelector>(model::LabelSelector::nothing())
                      : model::LabelSelector::of(metric["selector"]);
  if (!selector.ok()) return failed(reason, selector.error().message, prefix);
  const bool by_value = target["type"].as_string() == "Value" && !target["value"].is_null();
  const bool by_average =
      target["type"].as_string() == "AverageValue" && !target["averageValue"].is_null();
  if (!by_value && !by_average)
    return failed(
        reason,
        "invalid object metric source: neither a value target nor an average value target was set",
        prefix);
  auto proposal =
      propose_for_object(s, source["describedObject"], name, *selector,
                         milli(target[by_value ? "value" : "averageValue"]), by_average);
  if (!proposal.ok()) {
    // The condition has the bare text, the error a longer one, where the target is an average.
    MetricOutcome outcome = failed(reason, proposal.error().message, prefix);
    if (by_average)
      outcome.error =
          prefix + "failed to get " + name + " object metric: " + proposal.error().message;
    return outcome;
  }
  MetricOutcome outcome;
  outcome.replicas = proposal->replicas;
  outcome.name = by_value
                     ? source["describedObject"]["kind"].str() + " metric " + name
                     : "external metric " + name + "(" + selector_text(metric["selector"]) + ")";
  outcome.status = Value::object(
      {{"type", "Object"},
       {"object", Value::object({{"metric", identifier(metric)},
                                 {"describedObject", source["describedObject"]},
                                 {"current", Value::object({{by_value ? "value" : "averageValue",
                                                             milli_text(proposal->usage)}})}})}});
  return outcome;
}

MetricOutcome measure_external(const Situation& s, const Value& spec) {
  const Value& metric = spec["external"]["metric"];
  const Value& target = spec["external"]["target"];
  const std::string name = metric["name"].str(), reason = "FailedGetExternalMetric";
  const std::string prefix = "failed to get " + name + " external metric value: ";
  const bool by_average = !target["averageValue"].is_null();
  if (!by_average && target["value"].is_null())
    return failed(reason,
                  "invalid external metric source: neither a value target nor an average value "
                  "target was set",
                  prefix);
  auto proposal =
      propose_for_external(s, name, metric["selector"],
                           milli(target[by_average ? "averageValue" : "value"]), by_average);
  if (!proposal.ok()) {
    MetricOutcome outcome = failed(reason, proposal.error().message, prefix);
    outcome.error = prefix + "failed to get " +
                    (by_average ? name + " external metric" : "external metric " + name) + ": " +
                    proposal.error().message;
    return outcome;
  }
  MetricOutcome outcome;
  outcome.replicas = proposal->replicas;
  outcome.name = "external metric " + name + "(" + selector_text(metric["selector"]) + ")";
  outcome.status = Value::object(
      {{"type", "External"},
       {"external",
        Value::object({{"metric", identifier(metric)},
                       {"current", Value::object({{by_average ? "averageValue" : "value",
                                                   milli_text(proposal->usage)}})}})}});
  return outcome;
}

MetricOutcome measure(const Situation& s, const Value& spec) {
  const std::string_view type = spec["type"].as_string();
  if (type == "Resource") return measure_resource(s, spec, "resource", false);
  if (type == "ContainerResource") return measure_resource(s, spec, "containerResource", true);
  if (type == "Pods") return measure_pods(s, spec);
  if (type == "Object") return measure_object(s, spec);
  if (type == "External") return measure_external(s, spec);
  return failed("InvalidMetricSourceType",
                "unknown metric source type \"" + std::string(type) + "\"", "");
}

struct Measured {
  bool usable = false;
  std::int32_t replicas = 0;
  std::string name;
  std::string error;
};

// The pods under the selector; or why it cannot be used, noted in conditions and events.
std::optional<Situation> look_at_pods(const HpaInput& input, HpaDecision& decision,
                                      std::string& error) {
  const auto refuse = [&](const char* event, const char* reason, const std::string& message,
                          const std::string& condition) {
    decision.events.push_back({true, event, message});
    set_condition(decision.status, "ScalingActive", false, reason, condition, input.now);
    error = message;
  };
  const Scale& scale = *input.scale;
  if (scale.selector.empty()) {
    refuse("SelectorRequired", "InvalidSelector", "selector is required",
           "the HPA target's scale is missing a selector");
    return std::nullopt;
  }
  auto selector = model::LabelSelector::parse(scale.selector);
  if (!selector.ok()) {
    const std::string message =
        "couldn't convert selector into a corresponding internal selector object: " +
        selector.error().message;
    refuse("InvalidSelector", "InvalidSelector", message, message);
    return std::nullopt;
  }
  Situation s;
  s.namespace_ = model::namespace_of(input.hpa);
  for (const Value& pod : input.pods)
    if (selector->matches(model::labels_of(pod))) s.pods.push_back(pod);
  std::vector<std::string> rivals;
  for (const auto& [name, other] : input.others)
    if (std::any_of(s.pods.begin(), s.pods.end(),
                    [&](const Value& pod) { return other.matches(model::labels_of(pod)); }))
      rivals.push_back(name);
  if (!rivals.empty()) {
    rivals.push_back(s.namespace_ + "/" + std::string(model::name_of(input.hpa)));
    std::sort(rivals.begin(), rivals.end());
    std::string message =
        "pods by selector " + scale.selector + " are controlled by multiple HPAs: [";
    for (std::size_t i = 0; i < rivals.size(); ++i) message += (i > 0 ? " " : "") + rivals[i];
    message += "]";
    refuse("AmbiguousSelector", "AmbiguousSelector", message, message);
    return std::nullopt;
  }
  s.selector = *selector;
  s.replicas_spec = scale.replicas_spec;
  s.replicas_status = scale.replicas_status;
  s.tolerances = {input.options.tolerance, input.options.tolerance};
  const Value& behavior = input.hpa["spec"]["behavior"];
  if (const Value& down = behavior["scaleDown"]["tolerance"]; !down.is_null())
    s.tolerances.down = model::Quantity::of(down).to_double();
  if (const Value& up = behavior["scaleUp"]["tolerance"]; !up.is_null())
    s.tolerances.up = model::Quantity::of(up).to_double();
  s.options = input.options.calculator;
  s.now = input.now;
  s.metrics = input.metrics;
  return s;
}

// The highest proposal of all metrics. A proposal of 0 gives way to whatever comes after it.
Measured measure_all(const HpaInput& input, HpaDecision& decision) {
  Measured result;
  const auto situation = look_at_pods(input, decision, result.error);
  if (!situation) return result;
  const codec::Array& specs = input.hpa["spec"]["metrics"].elements();
  decision.metrics = Value::array();
  std::size_t invalid = 0;
  MetricOutcome first_failure;
  for (const Value& spec : specs) {
    MetricOutcome outcome = measure(*situation, spec);
    decision.metrics.push_back(outcome.status);
    if (!outcome.ok()) {
      decision.events.push_back({true, outcome.reason, outcome.detail});
      if (invalid++ == 0) first_failure = std::move(outcome);
      continue;
    }
    if (result.replicas == 0 || outcome.replicas > result.replicas) {
      result.replicas = outcome.replicas;
      result.name = outcome.name;
    }
  }
  if (invalid > 0)
    result.error = "invalid metrics (" + std::to_string(invalid) + " invalid out of " +
                   std::to_string(specs.size()) + "), first error is: " + first_failure.error;
  if (invalid >= specs.size() || (invalid > 0 && result.replicas < situation->replicas_spec)) {
    set_condition(decision.status, "ScalingActive", false, first_failure.reason,
                  "the HPA was unable to compute the replica count: " + first_failure.detail,
                  input.now);
    return result;
  }
  set_condition(decision.status, "ScalingActive", true, "ValidMetricFound",
                "the HPA was able to successfully calculate a replica count from " + result.name,
                input.now);
  result.usable = true;
  return result;
}

bool has_outside_metric(const Value& spec) {
  for (const Value& metric : spec["metrics"].elements())
    if (metric["type"].as_string() == "Object" || metric["type"].as_string() == "External")
      return true;
  return false;
}

std::string reference_of(const Value& hpa) {
  const Value& target = hpa["spec"]["scaleTargetRef"];
  return target["kind"].str() + "/" + std::string(model::namespace_of(hpa)) + "/" +
         target["name"].str();
}

std::int32_t minimum_of(const Value& spec) {
  return static_cast<std::int32_t>(spec["minReplicas"].as_int(1));
}

void scale_by_metrics(const HpaInput& input, HpaDecision& decision, HpaMemory& memory,
                      bool was_scaled_to_zero) {
  const Value& spec = input.hpa["spec"];
  const Measured measured = measure_all(input, decision);
  if (!measured.usable) {
    decision.failed = true;
    decision.late_event = HpaEvent{true, "FailedComputeMetricsReplicas", measured.error};
    decision.error = "failed to compute desired number of replicas based on listed metrics for " +
                     reference_of(input.hpa) + ": " + measured.error;
    return;
  }
  decision.error = measured.error;
  const std::int32_t wanted = std::max(0, measured.replicas);
  decision.recommendation = wanted;
  if (wanted > decision.current)
    decision.rescale_reason = (measured.replicas > 0 ? measured.name : "") + " above target";
  if (wanted < decision.current) decision.rescale_reason = "All metrics below target";
  const std::int32_t min = minimum_of(spec);
  const Limited limited =
      limit_replicas(spec, decision.current, wanted, min, memory, input.options, input.now);
  set_condition(decision.status, "AbleToScale", true, limited.able_reason, limited.able_message,
                input.now);
  set_condition(decision.status, "ScalingLimited", limited.limited, limited.limit_reason,
                limited.limit_message, input.now);
  decision.desired = limited.replicas;
  if (decision.current == 0 && min != 0 && was_scaled_to_zero && decision.desired < min) {
    decision.desired = min;
    if (decision.rescale_reason.empty())
      decision.rescale_reason = "Current number of replicas below Spec.MinReplicas";
  }
  decision.rescale = decision.desired != decision.current;
}

}  // namespace

ScaleFailure scale_failure(const Value& hpa, std::string message) {
  if (message.starts_with("unexpected GroupVersion string"))
    return {"invalid API version in scale target reference: ", std::move(message)};
  if (message.starts_with("no matches for kind"))
    return {"unable to determine resource for scale target reference: ", std::move(message)};
  return {"failed to query scale subresource for " + reference_of(hpa) + ": ", std::move(message)};
}

std::string unknown_target(const Value& hpa) {
  const Value& target = hpa["spec"]["scaleTargetRef"];
  const std::string version = target["apiVersion"].str(), kind = target["kind"].str();
  if (std::count(version.begin(), version.end(), '/') > 1)
    return "unexpected GroupVersion string: " + version;
  const std::string group = model::group_version_of(version).group;
  const bool known = group == "apps"
                         ? kind == "Deployment" || kind == "ReplicaSet" || kind == "StatefulSet"
                         : group.empty() && kind == "ReplicationController";
  return known ? "" : "no matches for kind \"" + kind + "\" in group \"" + group + "\"";
}

HpaDecision decide(const HpaInput& input, HpaMemory& memory) {
  HpaDecision decision;
  decision.status = input.hpa["status"].is_object() ? input.hpa["status"] : Value::object();
  const Value& spec = input.hpa["spec"];
  if (!input.scale) {
    decision.events.push_back({true, "FailedGetScale", input.failure.message});
    set_condition(
        decision.status, "AbleToScale", false, "FailedGetScale",
        "the HPA controller was unable to get the target's current scale: " + input.failure.message,
        input.now);
    decision.failed = true;
    decision.error = input.failure.error_prefix + input.failure.message;
    return decision;
  }
  set_condition(decision.status, "AbleToScale", true, "SucceededGetScale",
                "the HPA controller was able to get the target's current scale", input.now);
  decision.current = input.scale->replicas_spec;
  if (memory.recommendations.empty())
    memory.recommendations.push_back({decision.current, input.now});

  const std::int32_t min = minimum_of(spec);
  const auto max = static_cast<std::int32_t>(spec["maxReplicas"].as_int());
  const bool was_scaled_to_zero =
      input.options.scale_to_zero && condition_holds(decision.status, "ScaledToZero");
  if (decision.current == 0 && !(was_scaled_to_zero && (min != 0 || has_outside_metric(spec)))) {
    set_condition(decision.status, "ScalingActive", false, "ScalingDisabled",
                  "scaling is disabled since the replica count of the target is zero", input.now);
    if (!input.options.scale_to_zero) remove_condition(decision.status, "ScaledToZero");
  } else if (decision.current != 0 && decision.current > max) {
    decision.rescale_reason = "Current number of replicas above Spec.MaxReplicas";
    decision.desired = max;
    decision.rescale = true;
  } else if (decision.current != 0 && decision.current < min) {
    decision.rescale_reason = "Current number of replicas below Spec.MinReplicas";
    decision.desired = min;
    decision.rescale = true;
  } else {
    scale_by_metrics(input, decision, memory, was_scaled_to_zero);
  }
  return decision;
}

HpaOutcome finish(const HpaInput& input, HpaDecision decision, const std::string& scale_error,
                  HpaMemory& memory) {
  HpaOutcome outcome{.status = {},
                     .events = std::move(decision.events),
                     .late_event = decision.late_event,
                     .error = decision.error};
  const Value& spec = input.hpa["spec"];
  const Value before = input.hpa["status"].is_object() ? input.hpa["status"] : Value::object();
  Value status = decision.status;
  std::int64_t desired = before["desiredReplicas"].as_int();
  bool rescaled = false;
  if (!input.scale) {
    outcome.status_changed = !(status == before);
    if (status["desiredReplicas"].is_null()) status.set("desiredReplicas", 0);
    outcome.status = std::move(status);
    return outcome;
  }
  if (decision.rescale && !scale_error.empty()) {
    outcome.events.push_back({true, "FailedRescale",
                              "New size: " + std::to_string(decision.desired) + "; reason: " +
                                  decision.rescale_reason + "; error: " + scale_error});
    set_condition(status, "AbleToScale", false, "FailedUpdateScale",
                  "the HPA controller was unable to update the target scale: " + scale_error,
                  input.now);
    outcome.error = "failed to rescale " + reference_of(input.hpa) + ": " + scale_error;
  } else if (decision.rescale) {
    set_condition(status, "AbleToScale", true, "SucceededRescale",
                  "the HPA controller was able to update the target scale to " +
                      std::to_string(decision.desired),
                  input.now);
    outcome.events.push_back(
        {false, "SuccessfulRescale",
         "New size: " + std::to_string(decision.desired) + "; reason: " + decision.rescale_reason});
    remember_scaling(spec["behavior"], decision.current, decision.desired, memory, input.now);
    if (!input.options.scale_to_zero) {
      remove_condition(status, "ScaledToZero");
    } else {
      const bool to_zero = decision.current > 0 && decision.desired == 0 && minimum_of(spec) == 0 &&
                           has_outside_metric(spec);
      set_condition(status, "ScaledToZero", to_zero, to_zero ? "ScaledToZero" : "NotScaledToZero",
                    to_zero ? "the HPA controller scaled the workload to zero"
                            : "the HPA controller did not scale the workload to zero",
                    input.now);
    }
    desired = decision.desired;
    rescaled = true;
  } else if (!decision.failed) {
    desired = decision.current;
  }
  Value fresh = Value::object({{"desiredReplicas", desired}});
  if (decision.current != 0) fresh.set("currentReplicas", decision.current);
  if (rescaled)
    fresh.set("lastScaleTime", to_rfc3339(input.now));
  else if (!before["lastScaleTime"].is_null())
    fresh.set("lastScaleTime", before["lastScaleTime"]);
  if (!decision.metrics.empty()) fresh.set("currentMetrics", decision.metrics);
  if (!status["conditions"].empty()) fresh.set("conditions", status["conditions"]);
  // What was stored has whole seconds: a rescale at any other time is a change.
  const bool time_changed = rescaled && model::time_of(before["lastScaleTime"]) != input.now;
  // Absent, null and zero mean the same.
  const auto same = [&](std::string_view key) {
    return fresh[key] == before[key] ||
           (fresh[key].empty() && before[key].empty() && !fresh[key].is_number() &&
            !fresh[key].is_string() && !before[key].is_string());
  };
  outcome.status_changed =
      !same("conditions") || !same("currentMetrics") || time_changed ||
      before["observedGeneration"].as_int() != 0 ||
      fresh["currentReplicas"].as_int() != before["currentReplicas"].as_int() ||
      fresh["desiredReplicas"].as_int() != before["desiredReplicas"].as_int();
  outcome.status = std::move(fresh);
  return outcome;
}

}  // namespace keelson::control
