// How many replicas one metric asks for. Pure; the arithmetic (integers cut off where the original
// cuts, doubles where it uses doubles, wrapping where it wraps) is that of Kubernetes 1.36
// pkg/controller/podautoscaler/replica_calculator.go.
#pragma once

#include <string>
#include <vector>

#include "control/autoscale/metrics_source.h"

namespace keelson::control {

struct Tolerances {
  double down = 0.1, up = 0.1;
  bool include(double ratio) const { return 1.0 - down <= ratio && ratio <= 1.0 + up; }
};

struct CalculatorOptions {
  Duration cpu_initialization_period = Duration::minutes(5);
  Duration initial_readiness_delay = Duration::seconds(30);
};

struct Proposal {
  std::int32_t replicas = 0;
  std::int64_t usage = 0;        // milli-units: average or value, as the target asks
  std::int32_t utilization = 0;  // percent, for utilization targets
};

// What all calculations of one sync share.
struct Situation {
  std::string namespace_;
  model::LabelSelector selector;
  std::vector<codec::Value> pods;  // those that the selector matches, in the order of the view
  std::int32_t replicas_spec = 0, replicas_status = 0;
  Tolerances tolerances;
  CalculatorOptions options;
  Instant now;
  MetricsSource* metrics = nullptr;
};

// container empty: the whole pod.
Result<Proposal> propose_for_utilization(const Situation& s, const std::string& resource,
                                         const std::string& container, std::int32_t target_percent);
Result<Proposal> propose_for_resource(const Situation& s, const std::string& resource,
                                      const std::string& container, std::int64_t target_milli);
Result<Proposal> propose_for_pods(const Situation& s, const std::string& metric,
                                  const model::LabelSelector& selector, std::int64_t target_milli);
Result<Proposal> propose_for_object(const Situation& s, const codec::Value& described,
                                    const std::string& metric, const model::LabelSelector& selector,
                                    std::int64_t target_milli, bool per_pod);
// selector: the metric's LabelSelector as in the spec; null is none.
Result<Proposal> propose_for_external(const Situation& s, const std::string& metric,
                                      const codec::Value& selector, std::int64_t target_milli,
                                      bool per_pod);

// A metav1.LabelSelector as Go prints one with %+v; "nil" for null.
std::string selector_text(const codec::Value& selector);

}  // namespace keelson::control
