#include "sim/traffic.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "model/meta.h"
#include "model/quantity.h"
#include "model/selector.h"

namespace keelson::sim {
namespace {

using codec::Value;

// Cores that the pod's first container may use; without a limit a whole one for this model.
double cores_of(const Value& pod) {
  const Value& limit = pod["spec"]["containers"][0]["resources"]["limits"]["cpu"];
  return limit.is_null() ? 1.0
                         : static_cast<double>(model::Quantity::of(limit).milli_value()) / 1000.0;
}

}  // namespace

void Traffic::set(const std::string& target, Load load) {
  Load& entry = loads_[target];
  load.sent = entry.sent;
  load.failed = entry.failed;
  load.latencies = std::move(entry.latencies);
  entry = std::move(load);
}

void Traffic::tick(Duration time) {
  for (auto& [target, load] : loads_) serve(load, time);
}

void Traffic::serve(Load& load, Duration time) {
  const double requests = load.rps * time.to_seconds();
  if (requests <= 0) return;
  load.sent += requests;
  const Value service = view_.get("services", load.namespace_, load.service);
  std::vector<Value> ready;
  if (!service["spec"]["selector"].empty()) {
    const auto selector = model::LabelSelector::of_map(service["spec"]["selector"]);
    for (Value& pod : view_.list("pods", load.namespace_))
      if (model::pod_is_ready(pod) && !model::is_deleting(pod) &&
          selector.matches(model::labels_of(pod)))
        ready.push_back(std::move(pod));
  }
  if (ready.empty()) {
    load.failed += requests;
    return;
  }
  const double share = requests / static_cast<double>(ready.size());
  for (const Value& pod : ready) {
    const std::string run = run_of_(pod);
    if (run.empty()) {
      load.failed += share;
      continue;
    }
    const double cores = cores_of(pod);
    const double capacity =
        cores * time.to_seconds() * 1000.0 / load.cost_milli_seconds;  // requests in this time
    const double served = std::min(share, capacity);
    load.failed += share - served;
    driver_.consume(run,
                    Duration::nanoseconds(std::llround(served * load.cost_milli_seconds * 1e6)));
    const double utilization = std::min(share / capacity, 0.99);
    const double work = load.cost_milli_seconds / std::min(cores, 1.0);
    const double wait = work * utilization / (2 * (1 - utilization));
    load.latencies[std::llround(load.latency_milli_seconds + work + wait)] += served;
  }
}

std::optional<double> Traffic::figure(const std::string& target, const std::string& figure) const {
  const auto found = loads_.find(target);
  if (found == loads_.end()) return std::nullopt;
  const Load& load = found->second;
  if (figure == "rps") return load.rps;
  if (figure == "errors") return load.failed;
  if (figure == "availability")
    return load.sent > 0 ? 100.0 * (load.sent - load.failed) / load.sent : 100.0;
  if (figure != "p95" && figure != "p99") return std::nullopt;
  double total = 0;
  for (const auto& [latency, count] : load.latencies) total += count;
  const double wanted = total * (figure == "p95" ? 0.95 : 0.99);
  double seen = 0;
  for (const auto& [latency, count] : load.latencies) {
    seen += count;
    if (seen >= wanted) return static_cast<double>(latency);
  }
  return 0.0;
}

}  // namespace keelson::sim
