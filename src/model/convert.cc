// Conversions between the versions of one kind. Only autoscaling and events have two; a custom
// resource without a webhook changes its apiVersion alone.
#include "base/text.h"
#include "codec/json.h"
#include "model/scheme.h"

namespace keelson::model {
namespace {

using codec::Value;

constexpr const char* kMetrics = "autoscaling.alpha.kubernetes.io/metrics";
constexpr const char* kCurrent = "autoscaling.alpha.kubernetes.io/current-metrics";
constexpr const char* kConditions = "autoscaling.alpha.kubernetes.io/conditions";
constexpr const char* kBehavior = "autoscaling.alpha.kubernetes.io/behavior";

void move(Value& from, const char* name, Value& to, const char* new_name) {
  if (!from.has(name)) return;
  to.set(new_name, from[name]);
  from.erase(name);
}

bool is_cpu_utilization(const Value& metric) {
  return metric["type"].as_string() == "Resource" &&
         metric["resource"]["name"].as_string() == "cpu" &&
         !metric["resource"]["target"]["averageUtilization"].is_null();
}

void take_annotation(Value& object, const char* name, Value& into, const char* field) {
  const Value text = object["metadata"]["annotations"][name];
  if (!text.is_string()) return;
  if (const auto parsed = codec::parse_json(text.as_string())) into.set(field, *parsed);
  Value& annotations = object.edit("metadata").edit("annotations");
  annotations.erase(name);
  if (annotations.empty()) object.edit("metadata").erase("annotations");
}

// In v1 what its fields cannot say stands in annotations. `metrics` there have v1's shape, in which
// a target is spread over plain fields.
Value metric_to_v1(const Value& metric, std::string_view part) {
  Value out = metric;
  for (const char* source : {"resource", "containerResource", "pods", "object", "external"}) {
    if (!out[source].is_object()) continue;
    Value& s = out.edit(source);
    Value values = s[part];
    s.erase(part);
    const bool target = part == "target";
    const std::string_view name(source);
    const auto put = [&](const char* from, std::string to) {
      if (!values[from].is_null()) s.set(to, values[from]);
    };
    if (name == "resource" || name == "containerResource") {
      put("averageUtilization", target ? "targetAverageUtilization" : "currentAverageUtilization");
      put("averageValue", target ? "targetAverageValue" : "currentAverageValue");
    } else if (name == "external") {
      put("value", target ? "targetValue" : "currentValue");
      put("averageValue", target ? "targetAverageValue" : "currentAverageValue");
    } else if (name == "pods") {
      put("averageValue", target ? "targetAverageValue" : "currentAverageValue");
    } else {
      put("value", target ? "targetValue" : "currentValue");
      put("averageValue", "averageValue");
      move(s, "describedObject", s, "target");
    }
    // What is a plain quantity in v1 is served without a value, too.
    const char* plain =
        name == "external" || name == "object" ? "currentValue" : "currentAverageValue";
    if (!target && !s.has(plain)) s.set(plain, "0");
    if (s["metric"].is_object()) {
      const Value identity = s["metric"];
      s.erase("metric");
      s.set("metricName", identity["name"]);
      if (!identity["selector"].is_null())
        s.set(name == "external" ? "metricSelector" : "selector", identity["selector"]);
    }
  }
  return out;
}

// The annotations hold structs as Go writes them; no two of these structs order a name differently.
constexpr std::string_view kGoOrder[] = {"type",
                                         "status",
                                         "lastTransitionTime",
                                         "reason",
                                         "message",
                                         "object",
                                         "pods",
                                         "resource",
                                         "containerResource",
                                         "external",
                                         "scaleUp",
                                         "scaleDown",
                                         "stabilizationWindowSeconds",
                                         "selectPolicy",
                                         "policies",
                                         "tolerance",
                                         "value",
                                         "periodSeconds",
                                         "target",
                                         "kind",
                                         "name",
                                         "apiVersion",
                                         "metricName",
                                         "metricSelector",
                                         "targetAverageUtilization",
                                         "currentAverageUtilization",
                                         "targetValue",
                                         "currentValue",
                                         "targetAverageValue",
                                         "currentAverageValue",
                                         "container",
                                         "selector",
                                         "averageValue",
                                         "matchLabels",
                                         "matchExpressions",
                                         "key",
                                         "operator",
                                         "values"};

void append_in_go_order(std::string& out, const Value& value, bool is_map) {
  if (value.is_array()) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += ',';
      append_in_go_order(out, value[i], false);
    }
    out += ']';
  } else if (value.is_object() && !is_map) {
    const std::size_t start = out.size();
    for (const std::string_view key : kGoOrder) {
      const Value* member = value.find(key);
      if (member == nullptr) continue;
      out += out.size() == start ? '{' : ',';
      codec::append_json_string(out, key);
      out += ':';
      append_in_go_order(out, *member, key == "matchLabels");
    }
    out += out.size() == start ? "{}" : "}";
  } else {
    out += codec::to_json(value);
  }
}

std::string in_go_order(const Value& value) {
  std::string out;
  append_in_go_order(out, value, false);
  return out;
}

Value to_v1(Value object) {
  Value& spec = object.edit("spec");
  Value others = Value::array();
  for (const Value& metric : spec["metrics"].elements()) {
    if (is_cpu_utilization(metric))
      spec.set("targetCPUUtilizationPercentage",
               metric["resource"]["target"]["averageUtilization"]);
    else
      others.push_back(metric_to_v1(metric, "target"));
  }
  spec.erase("metrics");
  const auto annotate = [&](const char* name, const Value& value) {
    object.edit("metadata").edit("annotations").set(name, in_go_order(value));
  };
  const Value behavior = spec["behavior"];
  spec.erase("behavior");
  if (!others.empty()) annotate(kMetrics, others);
  if (!behavior.is_null()) annotate(kBehavior, behavior);
  Value& status = object.edit("status");
  Value current = Value::array();
  for (const Value& metric : status["currentMetrics"].elements()) {
    if (metric["type"].as_string() == "Resource" &&
        metric["resource"]["name"].as_string() == "cpu" &&
        !metric["resource"]["current"]["averageUtilization"].is_null())
      status.set("currentCPUUtilizationPercentage",
                 metric["resource"]["current"]["averageUtilization"]);
    current.push_back(metric_to_v1(metric, "current"));
  }
  const Value conditions = status["conditions"];
  status.erase("currentMetrics");
  status.erase("conditions");
  if (status["currentReplicas"].is_null()) status.set("currentReplicas", 0);
  if (status["desiredReplicas"].is_null()) status.set("desiredReplicas", 0);
  if (!current.empty()) annotate(kCurrent, current);
  if (!conditions.empty()) annotate(kConditions, conditions);
  return object;
}

Value metric_to_v2(const Value& metric, bool target) {
  Value out = metric;
  const char* part = target ? "target" : "current";
  for (const char* source : {"resource", "containerResource", "pods", "object", "external"}) {
    if (!out[source].is_object()) continue;
    Value& s = out.edit(source);
    const std::string_view name(source);
    Value values = Value::object();
    if (name == "object") move(s, "target", s, "describedObject");
    const std::string start(part);
    if (s.has(start + "AverageUtilization")) {
      values.set("type", "Utilization");
      move(s, (start + "AverageUtilization").c_str(), values, "averageUtilization");
    }
    if (s.has(start + "AverageValue")) {
      values.set("type", "AverageValue");
      move(s, (start + "AverageValue").c_str(), values, "averageValue");
    }
    if (s.has(start + "Value")) {
      values.set("type", "Value");
      move(s, (start + "Value").c_str(), values, "value");
    }
    move(s, "averageValue", values, "averageValue");
    if (!target) values.erase("type");
    if (s.has("metricName")) {
      Value identity = Value::object();
      move(s, "metricName", identity, "name");
      move(s, name == "external" ? "metricSelector" : "selector", identity, "selector");
      s.set("metric", identity);
    }
    s.set(part, values);
  }
  return out;
}

void metrics_to_v2(Value& owner, const char* field, bool target) {
  for (std::size_t i = 0; i < owner[field].size(); ++i) {
    Value& metric = owner.edit(field).edit(i);
    metric = metric_to_v2(metric, target);
  }
}

Value to_v2(Value object) {
  take_annotation(object, kMetrics, object.edit("spec"), "metrics");
  Value behavior = Value::object();
  take_annotation(object, kBehavior, behavior, "behavior");
  Value status = object["status"];
  take_annotation(object, kCurrent, status, "currentMetrics");
  take_annotation(object, kConditions, status, "conditions");
  Value& spec = object.edit("spec");
  metrics_to_v2(spec, "metrics", true);
  metrics_to_v2(status, "currentMetrics", false);
  if (behavior.has("behavior")) spec.set("behavior", behavior["behavior"]);
  const Value percentage = spec["targetCPUUtilizationPercentage"];
  spec.erase("targetCPUUtilizationPercentage");
  if (!percentage.is_null())
    spec.edit("metrics").insert(
        0,
        Value::object(
            {{"type", "Resource"},
             {"resource",
              Value::object({{"name", "cpu"},
                             {"target", Value::object({{"type", "Utilization"},
                                                       {"averageUtilization", percentage}})}})}}));
  // The annotation, if there is one, knows more.
  const Value current = status["currentCPUUtilizationPercentage"];
  status.erase("currentCPUUtilizationPercentage");
  if (!current.is_null() && status["currentMetrics"].is_null())
    status.edit("currentMetrics")
        .push_back(Value::object(
            {{"type", "Resource"},
             {"resource",
              Value::object({{"name", "cpu"},
                             {"current", Value::object({{"averageUtilization", current}})}})}}));
  if (status["currentMetrics"].is_null()) status.set("currentMetrics", nullptr);
  object.set("status", status);
  return object;
}

struct Rename {
  const char* core;
  const char* events;
};
constexpr Rename kEventNames[] = {{"involvedObject", "regarding"},
                                  {"message", "note"},
                                  {"source", "deprecatedSource"},
                                  {"firstTimestamp", "deprecatedFirstTimestamp"},
                                  {"lastTimestamp", "deprecatedLastTimestamp"},
                                  {"count", "deprecatedCount"},
                                  {"reportingComponent", "reportingController"}};

Value convert_event(Value object, bool to_core) {
  Value out = object;
  for (const Rename& r : kEventNames) out.erase(to_core ? r.events : r.core);
  for (const Rename& r : kEventNames) {
    const Value& value = object[to_core ? r.events : r.core];
    if (!value.is_null() || object.has(to_core ? r.events : r.core))
      out.set(to_core ? r.core : r.events, value);
  }
  return out;
}

}  // namespace

Result<Value> convert(const Resource& from, const Resource& to, const Value& object) {
  if (from.group == to.group && from.version == to.version) return object;
  Value out = object;
  if (!from.custom && from.kind == "HorizontalPodAutoscaler")
    out = to.version == "v1" ? to_v1(std::move(out)) : to_v2(std::move(out));
  else if (!from.custom && from.kind == "Event")
    out = convert_event(std::move(out), to.group.empty());
  out.set("apiVersion", to.api_version());
  if (to.custom) return out;
  TRY(Decoded normal, decode_value(to, out, FieldValidation::ignore));
  return normal.object;
}

}  // namespace keelson::model
