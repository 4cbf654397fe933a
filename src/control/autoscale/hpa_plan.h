// What a HorizontalPodAutoscaler decides at one moment: pure, but for the memory that it is given
// and changes. Behaviour: Kubernetes 1.36 pkg/controller/podautoscaler/horizontal.go; the
// recordings in tests/golden/hpa check it.
//
// A sync has two halves, because what the scale's write comes to belongs into the status: decide(),
// then the caller writes the scale if `rescale` says so, then finish() with the result of that
// write.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "control/autoscale/replica_calculator.h"

namespace keelson::control {

// What the autoscaler remembers of one HPA between syncs; lost on restart, as in the original.
struct HpaMemory {
  struct Recommendation {
    std::int32_t replicas;
    Instant at;
  };
  struct ScaleEvent {
    std::int32_t change;  // positive
    Instant at;
    bool outdated = false;
  };
  std::vector<Recommendation> recommendations;
  std::vector<ScaleEvent> ups, downs;
};

struct HpaOptions {
  double tolerance = 0.1;
  Duration downscale_stabilization = Duration::minutes(5);
  CalculatorOptions calculator;
  bool scale_to_zero = false;  // feature gate HPAScaleToZero, alpha
};

// The scale subresource of the target.
struct Scale {
  std::int32_t replicas_spec = 0, replicas_status = 0;
  std::string selector;
};

// Why the scale is not known. The prefix is that of the error which the sync returns.
struct ScaleFailure {
  std::string error_prefix;  // "failed to query scale subresource for Deployment/default/web: "
  std::string message;
};

// The failure of the stage that this text comes from: the target's API version cannot be parsed, no
// resource has its kind, or its scale cannot be read.
ScaleFailure scale_failure(const codec::Value& hpa, std::string message);

// Why the target's API version and kind name nothing that has a scale here; empty if they do. Kinds
// with a scale: those of apps/v1 and core/v1.
std::string unknown_target(const codec::Value& hpa);

struct HpaInput {
  codec::Value hpa;  // autoscaling/v2, defaulted
  std::optional<Scale> scale;
  ScaleFailure failure;            // if there is no scale
  std::vector<codec::Value> pods;  // of the namespace
  // Other HPAs of the namespace: "namespace/name" and the selector of their target.
  std::vector<std::pair<std::string, model::LabelSelector>> others;
  MetricsSource* metrics = nullptr;
  Instant now;
  const HpaOptions& options;
};

struct HpaEvent {
  bool warning = false;
  std::string reason, message;
};

struct HpaDecision {
  bool rescale = false;  // write `desired` to the scale
  std::int32_t current = 0, desired = 0;
  std::string rescale_reason;
  std::optional<std::int32_t> recommendation;  // from the metrics, before all limits
  codec::Value status;                         // with the conditions so far
  codec::Value metrics;                        // status.currentMetrics; null: none
  std::vector<HpaEvent> events;
  std::string error;    // what the sync returns, if all else goes well
  bool failed = false;  // nothing was computed: the status is written, `late_event` follows
  std::optional<HpaEvent> late_event;
};

HpaDecision decide(const HpaInput& input, HpaMemory& memory);

struct HpaOutcome {
  codec::Value status;
  bool status_changed = false;         // else it need not be written
  std::vector<HpaEvent> events;        // before the write of the status
  std::optional<HpaEvent> late_event;  // after it
  std::string error;
};

// scale_error: what the scale's write failed with, empty if it was written or not asked for.
HpaOutcome finish(const HpaInput& input, HpaDecision decision, const std::string& scale_error,
                  HpaMemory& memory);

}  // namespace keelson::control
