// pkg/apis/batch/v1/defaults.go.
#include "model/defaults/rules.h"

namespace keelson::model {
namespace {

using codec::Value;

void job(Value& object) {
  Value& spec = object.edit("spec");
  if (spec["completions"].is_null() && spec["parallelism"].is_null()) spec.set("completions", 1);
  default_to(spec, "parallelism", 1);
  default_to(spec, "backoffLimit", spec["backoffLimitPerIndex"].is_null() ? 6 : INT32_MAX);
  const Value labels = spec["template"]["metadata"]["labels"];
  if (!labels.is_null() && object["metadata"]["labels"].empty())
    object.edit("metadata").set("labels", labels);
  default_to(spec, "completionMode", "NonIndexed");
  default_to(spec, "suspend", false);
  default_to(spec, "podReplacementPolicy",
             spec["podFailurePolicy"].is_null() ? "TerminatingOrFailed" : "Failed");
  default_to(spec, "manualSelector", false);
}

void cron_job(Value& object) {
  Value& spec = object.edit("spec");
  default_empty_to(spec, "concurrencyPolicy", "Allow");
  default_to(spec, "suspend", false);
  default_to(spec, "successfulJobsHistoryLimit", 3);
  default_to(spec, "failedJobsHistoryLimit", 1);
}

void condition_pattern(Value& pattern) {
  default_empty_to(pattern, "status", "True");
}

}  // namespace

DefaultRules batch_defaults() {
  return {
      {"io.k8s.api.batch.v1.Job", job},
      {"io.k8s.api.batch.v1.CronJob", cron_job},
      {"io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern", condition_pattern},
  };
}

}  // namespace keelson::model
