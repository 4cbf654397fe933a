#include "app/golden/hpa_player.h"

#include <cmath>
#include <map>

#include "base/text.h"
#include "codec/json.h"
#include "codec/patch.h"
#include "control/autoscale/hpa_plan.h"
#include "model/meta.h"

namespace keelson::app {
namespace {

using codec::Value;

const Instant kStart = Instant::unix_seconds(946'684'800);  // 2000-01-01T00:00:00Z
constexpr int kScaleWritesMax = 5;
constexpr const char* kConflict =
    "Operation cannot be fulfilled on deployments/scale.apps \"web\": the object has been "
    "modified; please apply your "
    "changes to the latest version and try again";

Instant at(const Value& seconds) {
  return kStart + Duration::milliseconds(std::llround(seconds.as_double() * 1000));
}
Duration length(const Value& seconds, std::int64_t fallback) {
  return seconds.is_null() ? Duration::seconds(fallback)
                           : Duration::milliseconds(std::llround(seconds.as_double() * 1000));
}

// One value for all pods, or a list with one for each.
const Value& value_for(const Value& values, std::size_t index) {
  return values.is_array() ? values[index] : values;
}

// A number is in the metric's base unit: millicores, bytes, milli-units; a string is a quantity.
model::Quantity usage_quantity(const Value& value, std::string_view resource) {
  if (value.is_string()) return model::Quantity::of(value);
  return resource == "memory" ? model::Quantity::units(value.as_int())
                              : model::Quantity::milli(value.as_int());
}
std::int64_t milli_of(const Value& value) {
  return value.is_string() ? control::metric_milli(model::Quantity::of(value)) : value.as_int();
}

std::string pod_name(const Value& group, std::int64_t i) {
  return group["name"].str() + (group["name"].is_string() ? "-" : "p-") +
         std::to_string(group["from"].as_int() + i);
}

Value container_of(const Value& shape) {
  Value container = Value::object({{"name", shape["name"]}});
  for (const char* resource : {"cpu", "memory"})
    if (!shape[resource].is_null())
      container.edit_path("resources.requests").set(resource, shape[resource]);
  if (shape["init"].as_string() == "always") container.set("restartPolicy", "Always");
  return container;
}

Value pod_of(const Value& group, std::int64_t i, const Value& containers) {
  Value pod = Value::object({{"kind", "Pod"}});
  Value& meta = pod.edit("metadata");
  meta.set("name", pod_name(group, i));
  meta.set("namespace", "default");
  meta.set("labels",
           group["labels"].is_object() ? group["labels"] : Value::object({{"app", "web"}}));
  if (group["deleted"].as_bool()) meta.set("deletionTimestamp", to_rfc3339(kStart));
  for (const Value& shape :
       (group["containers"].is_array() ? group["containers"] : containers).elements())
    pod.edit("spec")
        .edit(shape["init"].is_null() ? "containers" : "initContainers")
        .push_back(container_of(shape));
  if (group["podRequests"].is_object())
    pod.edit_path("spec.resources").set("requests", group["podRequests"]);
  Value& status = pod.edit("status");
  status.set("phase", group["phase"].is_string() ? group["phase"] : Value("Running"));
  const std::string ready(group["ready"].as_string("True"));
  if (ready != "none") {
    const Value since = group["readySince"].is_null() ? Value(-3590) : group["readySince"];
    status.edit("conditions")
        .push_back(Value::object(
            {{"type", "Ready"}, {"status", ready}, {"lastTransitionTime", to_rfc3339(at(since))}}));
  }
  if (!group["noStartTime"].as_bool()) {
    const Value since = group["startedAt"].is_null() ? Value(-3600) : group["startedAt"];
    status.set("startTime", to_rfc3339(at(since)));
  }
  return pod;
}

Error api_error(const Value& text) {
  return {.reason = Reason::internal_error, .message = text.str()};
}

// The metrics APIs as a recording has them; ages count from the tick that gave them.
class RecordedMetrics : public control::MetricsSource {
 public:
  void set(const Value& metrics, Instant since) {
    metrics_ = metrics;
    since_ = since;
  }
  void set_pods(const std::vector<Value>* pods) { pods_ = pods; }

  Result<std::vector<control::PodUsage>> resource(std::string_view,
                                                  const model::LabelSelector& selector) override {
    if (metrics_["resourceError"].is_string()) return api_error(metrics_["resourceError"]);
    std::vector<control::PodUsage> all;
    for (const Value& block : metrics_["resource"].elements())
      for (std::int64_t i = 0; i < block["n"].as_int(); ++i) {
        control::PodUsage usage{
            pod_name(block, i), since_ - length(block["age"], 0), length(block["window"], 30), {}};
        if (!selector.matches(labels_of(usage.pod))) continue;
        for (const codec::Member& container : block["use"].members()) {
          control::ContainerUsage of{std::string(container.key()), {}};
          for (const codec::Member& m : container.value.members()) {
            const Value& value = value_for(m.value, static_cast<std::size_t>(i));
            if (!value.is_null())
              of.usage.emplace_back(std::string(m.key()), usage_quantity(value, m.key()));
          }
          usage.containers.push_back(std::move(of));
        }
        all.push_back(std::move(usage));
      }
    return all;
  }

  Result<std::vector<control::PodSample>> pods(std::string_view, const model::LabelSelector&,
                                               std::string_view metric,
                                               const model::LabelSelector&) override {
    const Value& entry = metrics_["pods"][metric];
    if (entry["error"].is_string()) return api_error(entry["error"]);
    std::vector<control::PodSample> all;
    for (const Value& block : entry["blocks"].elements())
      for (std::int64_t i = 0; i < block["n"].as_int(); ++i) {
        const Value& value = value_for(block["v"], static_cast<std::size_t>(i));
        if (!value.is_null())
          all.push_back({pod_name(block, i), since_ - length(block["age"], 0),
                         length(block["window"], 60), milli_of(value)});
      }
    return all;
  }

  Result<std::int64_t> object(std::string_view, const Value&, std::string_view metric,
                              const model::LabelSelector&) override {
    const Value& entry = metrics_["object"][metric];
    if (entry["error"].is_string()) return api_error(entry["error"]);
    return milli_of(entry["v"]);
  }

  Result<std::vector<std::int64_t>> external(std::string_view, std::string_view metric,
                                             const model::LabelSelector&) override {
    const Value& entry = metrics_["external"][metric];
    if (entry["error"].is_string()) return api_error(entry["error"]);
    std::vector<std::int64_t> all;
    for (const Value& value : entry["v"].elements()) all.push_back(milli_of(value));
    return all;
  }

 private:
  // Items carry the labels of their pod, app=web if there is no such pod.
  Value labels_of(const std::string& pod) const {
    for (const Value& candidate : *pods_)
      if (model::name_of(candidate) == pod) return model::labels_of(candidate);
    return Value::object({{"app", "web"}});
  }
  Value metrics_;
  Instant since_;
  const std::vector<Value>* pods_ = nullptr;
};

// What a scenario carries from tick to tick.
struct World {
  const Value& file;
  const Value& scenario;
  Value spec, status;
  std::vector<Value> pods;
  Value recorded;
  RecordedMetrics metrics;
  control::HpaMemory memory;
  control::HpaOptions options;
  Value want_conditions = Value::array(), want_metrics;
};

Value current_of(const Value& metric) {
  for (const char* kind : {"resource", "containerResource", "pods", "object", "external"})
    if (metric[kind].is_object()) return metric[kind]["current"];
  return {};
}

class Differences {
 public:
  explicit Differences(const Value& t) : time_(codec::to_json(t)) {}
  void expect(const std::string& what, const Value& want, const Value& got) {
    if (want == got) return;
    if (!text_.empty()) text_ += "\n";
    text_ += "t=" + time_ + " " + what + ": want " + codec::to_json(want) + ", got " +
             codec::to_json(got);
  }
  const std::string& text() const { return text_; }

 private:
  std::string time_, text_;
};

void apply_tick(World& world, const Value& tick) {
  if (tick["hpaDefaulted"].is_object()) world.spec = tick["hpaDefaulted"];
  if (tick["restart"].as_bool()) world.memory = {};
  if (tick["pods"].is_array()) {
    world.pods.clear();
    for (const Value& group : tick["pods"].elements())
      for (std::int64_t i = 0; i < group["n"].as_int(); ++i)
        world.pods.push_back(pod_of(group, i, world.scenario["containers"]));
  }
  if (tick["metrics"].is_object()) world.recorded = tick["metrics"];
  world.metrics.set(world.recorded, at(tick["t"]));
}

control::HpaInput input_of(World& world, const Value& tick) {
  Value hpa =
      Value::object({{"apiVersion", "autoscaling/v2"}, {"kind", "HorizontalPodAutoscaler"}});
  hpa.set("metadata", Value::object({{"namespace", "default"}, {"name", "web"}}));
  hpa.set("spec", world.spec);
  hpa.set("status", world.status);
  control::HpaInput input{.hpa = hpa,
                          .scale = {},
                          .failure = {},
                          .pods = world.pods,
                          .others = {},
                          .metrics = &world.metrics,
                          .now = at(tick["t"]),
                          .options = world.options};
  if (tick["getScaleError"].is_string()) {
    input.failure = control::scale_failure(hpa, tick["getScaleError"].str());
  } else if (const auto unknown = control::unknown_target(hpa); !unknown.empty()) {
    input.failure = control::scale_failure(hpa, unknown);
  } else {
    const auto replicas = static_cast<std::int32_t>(tick["specReplicas"].as_int());
    input.scale = control::Scale{
        replicas, static_cast<std::int32_t>(tick["statusReplicas"].as_int(replicas)),
        tick["selector"].is_string() ? tick["selector"].str() : std::string("app=web")};
  }
  if (tick["otherHpaSelector"].is_string())
    if (auto selector = model::LabelSelector::parse(tick["otherHpaSelector"].as_string());
        selector.ok())
      input.others.emplace_back("default/other", *selector);
  return input;
}

void compare(World& world, const Value& tick, const control::HpaDecision& decision,
             const control::HpaOutcome& outcome, const Value& written_scale,
             const codec::Array& events, const std::string& error, Differences& differences) {
  const Value& want = tick["want"];
  if (want["conditions"].is_array()) world.want_conditions = want["conditions"];
  if (want.has("metrics")) world.want_metrics = want["metrics"];
  differences.expect("scale", want["scale"], written_scale);
  differences.expect("recommendation", want["rec"],
                     decision.recommendation ? Value(*decision.recommendation) : Value());
  differences.expect("current", want["current"], world.status["currentReplicas"].as_int());
  differences.expect("desired", want["desired"], world.status["desiredReplicas"].as_int());
  differences.expect("wrote", want["wrote"].as_bool(),
                     outcome.status_changed && !tick["updateStatusError"].is_string());
  Value want_events = Value::array();
  for (const Value& index : want["events"].elements())
    want_events.push_back(world.file["events"][static_cast<std::size_t>(index.as_int())]);
  differences.expect("events", want_events, Value(events));
  differences.expect("error", want["error"].is_null() ? Value("") : want["error"], error);
  Value conditions = Value::array();
  for (const Value& pair : world.want_conditions.elements()) {
    Value condition = world.file["conditions"][static_cast<std::size_t>(pair[0].as_int())];
    condition.set("lastTransitionTime", to_rfc3339(kStart + Duration::seconds(pair[1].as_int())));
    conditions.push_back(condition);
  }
  differences.expect(
      "conditions", conditions,
      world.status["conditions"].is_array() ? world.status["conditions"] : Value::array());
  Value metrics = Value::array();
  for (const Value& metric : world.status["currentMetrics"].elements())
    metrics.push_back(current_of(metric));
  differences.expect("metrics", world.want_metrics.is_null() ? Value::array() : world.want_metrics,
                     metrics);
  if (want["status"].is_object())
    differences.expect("status", codec::without_nulls(want["status"]),
                       codec::without_nulls(world.status));
}

std::string play_tick(World& world, const Value& tick) {
  Differences differences(tick["t"]);
  apply_tick(world, tick);
  if (tick["hpaDeleted"].as_bool()) {
    world.memory = {};
    world.status = Value::object();
    world.want_conditions = Value::array();
    world.want_metrics = {};
    return {};
  }
  world.metrics.set_pods(&world.pods);
  const control::HpaInput input = input_of(world, tick);
  const control::HpaDecision decision = control::decide(input, world.memory);
  Value written;
  std::string scale_error;
  if (decision.rescale) {
    if (tick["updateScaleError"].is_string())
      scale_error = tick["updateScaleError"].str();
    else if (tick["updateScaleConflicts"].as_int() >= kScaleWritesMax)
      scale_error = kConflict;
    else
      written = decision.desired;
  }
  const control::HpaOutcome outcome = control::finish(input, decision, scale_error, world.memory);
  codec::Array events;
  std::string error = outcome.error;
  const auto note = [&](const control::HpaEvent& event) {
    events.push_back(Value::object({{"type", event.warning ? "Warning" : "Normal"},
                                    {"reason", event.reason},
                                    {"message", event.message}}));
  };
  for (const auto& event : outcome.events) note(event);
  if (outcome.status_changed) {
    if (tick["updateStatusError"].is_string()) {
      note({true, "FailedUpdateStatus", tick["updateStatusError"].str()});
      if (!decision.failed && scale_error.empty())
        error = "failed to update status for web: " + tick["updateStatusError"].str();
    } else {
      world.status = outcome.status;
    }
  }
  if (outcome.late_event) note(*outcome.late_event);
  compare(world, tick, decision, outcome, written, events, error, differences);
  return differences.text();
}

PlayResult play_scenario(const Value& file, const Value& scenario) {
  PlayResult result{
      .category = "hpa", .name = scenario["name"].str(), .passed = true, .difference = {}};
  World world{.file = file,
              .scenario = scenario,
              .spec = scenario["hpaDefaulted"],
              .status = Value::object(),
              .pods = {},
              .metrics = {},
              .memory = {},
              .options = {},
              .want_metrics = {}};
  if (scenario["initialStatus"].is_object()) world.status = scenario["initialStatus"];
  const Value& controller = scenario["controller"];
  world.options.tolerance = controller["tolerance"].as_double(0.1);
  world.options.downscale_stabilization = length(controller["downscaleStabilization"], 300);
  world.options.calculator.cpu_initialization_period =
      length(controller["cpuInitializationPeriod"], 300);
  world.options.calculator.initial_readiness_delay =
      length(controller["initialReadinessDelay"], 30);
  world.options.scale_to_zero = scenario["featureGates"]["HPAScaleToZero"].as_bool();
  for (const Value& tick : scenario["ticks"].elements()) {
    const std::string difference = play_tick(world, tick);
    if (difference.empty()) continue;
    result.passed = false;
    result.difference = difference;
    break;  // what follows depends on it
  }
  return result;
}

}  // namespace

Player hpa_player() {
  return {.kind = "HorizontalPodAutoscaler",
          .recognises = [](const Value& file) { return file["scenarios"][0].has("hpaDefaulted"); },
          .play =
              [](const Value& file, const std::string&) {
                std::vector<PlayResult> results;
                for (const Value& scenario : file["scenarios"].elements())
                  results.push_back(play_scenario(file, scenario));
                return results;
              }};
}

}  // namespace keelson::app
