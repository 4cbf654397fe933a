// ResourceMetrics: CPU rates and memory of pods and nodes from counters that somebody samples; what
// the metrics API (metrics.k8s.io/v1beta1) serves and the autoscaler reads. Pure: it reads no
// clock and no cgroup. A rate is taken over the last ten seconds of samples or a little more;
// a pod shows up with its second sample. Figures are in declared units: measured ones times the
// scale.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "codec/value.h"

namespace keelson::observe {

using codec::Value;

struct ContainerReading {
  std::string namespace_, pod, container, node;
  std::string run_id;          // another one: the counter starts again
  Value labels = {};           // of the pod
  Duration cpu;                // counter, of this machine
  std::int64_t memory = 0;     // working set in bytes, of this machine
  bool scaled_memory = false;  // a stand-in: its memory stands for scale.memory times as much
};

struct MetricsScale {
  std::int64_t cpu = 1, memory = 1;
};

struct ContainerUsage {
  std::string container;
  std::int64_t cpu_nanocores = 0;
  std::int64_t memory = 0;
};
struct PodUsage {
  std::string node;
  Value labels;
  Instant at;
  Duration window;
  std::vector<ContainerUsage> containers;  // by name
};

class ResourceMetrics {
 public:
  // All containers that run now; those that are missing are forgotten.
  void sample(const std::vector<ContainerReading>& readings, MetricsScale scale, Instant now);

  const std::map<std::pair<std::string, std::string>, PodUsage>& pods() const { return pods_; }

  // Objects of kind PodMetrics and NodeMetrics, in order. An empty namespace means all.
  std::vector<Value> pod_metrics(std::string_view ns) const;
  Value pod_metrics(std::string_view ns, std::string_view name) const;  // null: none
  std::vector<Value> node_metrics() const;

 private:
  struct Point {
    Instant at;
    Duration cpu;
  };
  struct Container {
    std::string run_id;
    std::deque<Point> points;  // oldest first
  };
  std::map<std::string, Container> containers_;  // by namespace/pod/container
  std::map<std::pair<std::string, std::string>, PodUsage> pods_;
};

}  // namespace keelson::observe
