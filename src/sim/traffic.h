// Traffic: what clients send to Services in a simulation, and what it does to the pods behind them.
// Once a second of virtual time each load is spread evenly over the ready pods of its Service; each
// pod serves up to its CPU limit, queues what is more, and refuses what would wait longer than the
// client does.
//
// Latency of a pod: its service time, stretched by the queue of an M/D/1 server at this
// utilization. Deterministic.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/time.h"
#include "cluster/cluster.h"
#include "control/autoscale/metrics_source.h"
#include "node/simulated_driver.h"

namespace keelson::sim {

struct Load {
  std::string namespace_, service;
  double rps = 0;
  double cost_milli_seconds = 1;     // CPU of one request, in thousandths of a core-second
  double latency_milli_seconds = 5;  // what a request takes besides its CPU
  // Sums since the beginning.
  double sent = 0, failed = 0;
  std::map<std::int64_t, double> latencies;  // milliseconds -> requests
};

class Traffic {
 public:
  // run_id: of a pod's first running container; empty if none runs.
  using RunOf = std::function<std::string(const codec::Value& pod)>;
  Traffic(const cluster::View& view, node::SimulatedDriver& driver, RunOf run_of)
      : view_(view), driver_(driver), run_of_(std::move(run_of)) {}

  // target: "svc/web" or "ns/svc/web", as written in the scenario.
  void set(const std::string& target, Load load);  // keeps the sums of an earlier one
  bool empty() const { return loads_.empty(); }
  void tick(Duration time);  // serves `time` of all loads
  // availability (percent), errors, p95 and p99 (ms), rps; nullopt if there is no such load or
  // figure.
  std::optional<double> figure(const std::string& target, const std::string& figure) const;

 private:
  void serve(Load& load, Duration time);
  const cluster::View& view_;
  node::SimulatedDriver& driver_;
  RunOf run_of_;
  std::map<std::string, Load> loads_;
};

}  // namespace keelson::sim
