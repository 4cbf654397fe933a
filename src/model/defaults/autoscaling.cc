// pkg/apis/autoscaling/v2/defaults.go.
#include "model/defaults/rules.h"

namespace keelson::model {
namespace {

using codec::Member;
using codec::Value;

Value policy(std::string_view type, int value) {
  return Value::object({{"type", type}, {"value", value}, {"periodSeconds", 15}});
}

// The given rules over the defaults, field by field.
void scaling_rules(Value& behavior, std::string_view key, Value fallback) {
  for (const Member& member : behavior[key].members())
    if (!member.value.is_null()) fallback.set(member.key(), member.value);
  behavior.set(key, std::move(fallback));
}

void autoscaler(Value& object) {
  Value& spec = object.edit("spec");
  default_to(spec, "minReplicas", 1);
  if (spec["metrics"].empty())
    spec.set("metrics",
             Value::array({Value::object(
                 {{"type", "Resource"},
                  {"resource",
                   Value::object({{"name", "cpu"},
                                  {"target", Value::object({{"type", "Utilization"},
                                                            {"averageUtilization", 80}})}})}})}));
  if (!spec["behavior"].is_object()) return;
  Value& behavior = spec.edit("behavior");
  scaling_rules(
      behavior, "scaleUp",
      Value::object({{"stabilizationWindowSeconds", 0},
                     {"selectPolicy", "Max"},
                     {"policies", Value::array({policy("Pods", 4), policy("Percent", 100)})}}));
  scaling_rules(behavior, "scaleDown",
                Value::object({{"selectPolicy", "Max"},
                               {"policies", Value::array({policy("Percent", 100)})}}));
}

void autoscaler_v1(Value& object) {
  default_to(object.edit("spec"), "minReplicas", 1);
}

}  // namespace

DefaultRules autoscaling_defaults() {
  return {
      {"io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler", autoscaler},
      {"io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler", autoscaler_v1},
  };
}

}  // namespace keelson::model
