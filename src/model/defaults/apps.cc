// pkg/apis/apps/v1/defaults.go.
#include "model/defaults/rules.h"

namespace keelson::model {
namespace {

using codec::Value;

void deployment(Value& object) {
  Value& spec = object.edit("spec");
  default_to(spec, "replicas", 1);
  Value& strategy = spec.edit("strategy");
  default_empty_to(strategy, "type", "RollingUpdate");
  if (strategy["type"].as_string() == "RollingUpdate") {
    default_to(strategy, "rollingUpdate", Value::object());
    default_to(strategy.edit("rollingUpdate"), "maxUnavailable", "25%");
    default_to(strategy.edit("rollingUpdate"), "maxSurge", "25%");
  }
  default_to(spec, "revisionHistoryLimit", 10);
  default_to(spec, "progressDeadlineSeconds", 600);
}

void daemon_set(Value& object) {
  Value& spec = object.edit("spec");
  Value& strategy = spec.edit("updateStrategy");
  default_empty_to(strategy, "type", "RollingUpdate");
  if (strategy["type"].as_string() == "RollingUpdate") {
    default_to(strategy, "rollingUpdate", Value::object());
    default_to(strategy.edit("rollingUpdate"), "maxUnavailable", 1);
    default_to(strategy.edit("rollingUpdate"), "maxSurge", 0);
  }
  default_to(spec, "revisionHistoryLimit", 10);
}

void stateful_set(Value& object) {
  Value& spec = object.edit("spec");
  default_empty_to(spec, "podManagementPolicy", "OrderedReady");
  Value& strategy = spec.edit("updateStrategy");
  if (is_unset(strategy["type"])) {
    strategy.set("type", "RollingUpdate");
    default_to(strategy, "rollingUpdate", Value::object());
  }
  if (strategy["type"].as_string() == "RollingUpdate" && !strategy["rollingUpdate"].is_null())
    default_to(strategy.edit("rollingUpdate"), "partition", 0);
  default_to(spec, "persistentVolumeClaimRetentionPolicy", Value::object());
  Value& retention = spec.edit("persistentVolumeClaimRetentionPolicy");
  default_empty_to(retention, "whenDeleted", "Retain");
  default_empty_to(retention, "whenScaled", "Retain");
  default_to(spec, "replicas", 1);
  default_to(spec, "revisionHistoryLimit", 10);
  // Templates of claims are objects of their own and say so.
  for (std::size_t i = 0; i < spec["volumeClaimTemplates"].size(); ++i) {
    Value& claim = spec.edit("volumeClaimTemplates").edit(i);
    claim.set("apiVersion", "v1");
    claim.set("kind", "PersistentVolumeClaim");
  }
}

void replica_set(Value& object) {
  default_to(object.edit("spec"), "replicas", 1);
}

}  // namespace

DefaultRules apps_defaults() {
  return {
      {"io.k8s.api.apps.v1.Deployment", deployment},
      {"io.k8s.api.apps.v1.DaemonSet", daemon_set},
      {"io.k8s.api.apps.v1.StatefulSet", stateful_set},
      {"io.k8s.api.apps.v1.ReplicaSet", replica_set},
  };
}

}  // namespace keelson::model
