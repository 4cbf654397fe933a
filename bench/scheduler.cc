// Throughput of the scheduler in the manner of Kubernetes' scheduler_perf: nodes and first pods are
// there, then the measured pods appear and are bound. The whole controller runs, with its queue and
// its snapshot, over objects in memory; the store and the API are not part of the figure
// (upstream's includes an API server and etcd, so the two do not compare one to one).
//
//   build/bench_scheduler [NAME-PART]    one line of JSON per workload
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "sched/scheduler_harness.h"

namespace keelson::sched {
namespace {

using Shape = std::function<void(Value& pod)>;

struct Workload {
  const char* name;
  int nodes, first, measured;
  Shape first_shape, shape;
  std::int64_t first_priority = 0;
};

Value selector(std::string_view key, std::string_view value) {
  Value match = Value::object();
  match.edit("matchLabels").set(key, value);
  return match;
}

void label(Value& pod, std::string_view key, std::string_view value) {
  pod.edit("metadata").edit("labels").set(key, value);
}

void plain(Value&) {}

Shape affine(std::string kind, std::string color, std::string topology, bool required) {
  return [=](Value& pod) {
    label(pod, "color", color);
    Value term = Value::object({{"topologyKey", topology}});
    term.set("labelSelector", selector("color", color));
    Value& affinity = pod.edit("spec").edit("affinity").edit(kind);
    if (required)
      affinity.set("requiredDuringSchedulingIgnoredDuringExecution", Value::array({term}));
    else
      affinity.set("preferredDuringSchedulingIgnoredDuringExecution",
                   Value::array({Value::object({{"weight", 1}, {"podAffinityTerm", term}})}));
  };
}

Shape spread(std::string action) {
  return [=](Value& pod) {
    label(pod, "color", "blue");
    Value constraint = Value::object({{"maxSkew", 5},
                                      {"topologyKey", "topology.kubernetes.io/zone"},
                                      {"whenUnsatisfiable", action}});
    constraint.set("labelSelector", selector("color", "blue"));
    pod.edit("spec").set("topologySpreadConstraints", Value::array({constraint}));
  };
}

void near_zone(Value& pod) {
  const Value rule = Value::object({{"key", "topology.kubernetes.io/zone"},
                                    {"operator", "In"},
                                    {"values", Value::array({"zone-0", "zone-1"})}});
  const Value term = Value::object({{"matchExpressions", Value::array({rule})}});
  pod.edit("spec")
      .edit("affinity")
      .edit("nodeAffinity")
      .set("requiredDuringSchedulingIgnoredDuringExecution",
           Value::object({{"nodeSelectorTerms", Value::array({term})}}));
}

Shape sized(const char* cpu) {
  return [=](Value& pod) {
    Value container = pod["spec"]["containers"][0];
    container.edit("resources").edit("requests").set("cpu", cpu);
    pod.edit("spec").set("containers", Value::array({container}));
  };
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void add_pods(Harness& harness, const char* prefix, int count, std::int64_t priority,
              const Shape& shape) {
  for (int i = 0; i < count; ++i) {
    Value pod = make_pod(prefix + std::to_string(i), "100m", "500Mi", priority);
    shape(pod);
    harness.apply("pods", std::move(pod));
  }
}

void run(const Workload& workload) {
  Harness harness;
  harness.apply("namespaces", [] {
    Value ns = Value::object();
    ns.edit("metadata").set("name", "default");
    return ns;
  }());
  for (int i = 0; i < workload.nodes; ++i)
    harness.apply("nodes", make_node("node-" + std::to_string(i), "4", "32Gi",
                                     "zone-" + std::to_string(i % 10)));
  add_pods(harness, "first-", workload.first, workload.first_priority, workload.first_shape);
  harness.run();
  harness.events.clear();
  const std::size_t waiting = harness.scheduler.pending();
  const auto start = std::chrono::steady_clock::now();
  add_pods(harness, "pod-", workload.measured, 10, workload.shape);
  harness.advance(Duration::minutes(1));
  const double seconds = seconds_since(start);
  std::size_t bound = 0;
  for (const auto& event : harness.events)
    if (event.reason == "Scheduled") ++bound;
  std::printf(
      "{\"workload\":\"%s\",\"nodes\":%d,\"first\":%d,\"measured\":%d,\"bound\":%zu,"
      "\"waiting\":%zu,\"seconds\":%.3f,\"podsPerSecond\":%.0f}\n",
      workload.name, workload.nodes, workload.first, workload.measured, bound, waiting, seconds,
      static_cast<double>(bound) / seconds);
  std::fflush(stdout);
}

int run_all(int argc, char** argv) {
  const auto host = "kubernetes.io/hostname";
  const auto zone = "topology.kubernetes.io/zone";
  const Workload workloads[] = {
      {"SchedulingBasic/500", 500, 500, 1000, plain, plain},
      {"SchedulingBasic/5000", 5000, 1000, 10000, plain, plain},
      {"SchedulingPodAntiAffinity/500", 500, 100, 400,
       affine("podAntiAffinity", "green", host, true),
       affine("podAntiAffinity", "green", host, true)},
      {"SchedulingPodAntiAffinity/5000", 5000, 1000, 2000,
       affine("podAntiAffinity", "green", host, true),
       affine("podAntiAffinity", "green", host, true)},
      {"SchedulingPodAffinity/5000", 5000, 5000, 5000, affine("podAffinity", "blue", zone, true),
       affine("podAffinity", "blue", zone, true)},
      {"SchedulingPreferredPodAffinity/5000", 5000, 5000, 5000,
       affine("podAffinity", "red", host, false), affine("podAffinity", "red", host, false)},
      {"SchedulingNodeAffinity/5000", 5000, 5000, 10000, near_zone, near_zone},
      {"TopologySpreading/500", 500, 1000, 1000, plain, spread("DoNotSchedule")},
      {"TopologySpreading/5000", 5000, 5000, 5000, plain, spread("DoNotSchedule")},
      {"PreferredTopologySpreading/5000", 5000, 5000, 5000, plain, spread("ScheduleAnyway")},
      {"PreemptionBasic/500", 500, 2000, 500, sized("900m"), sized("3"), 0},
      {"PreemptionBasic/5000", 5000, 20000, 5000, sized("900m"), sized("3"), 0},
      {"Unschedulable/5000", 5000, 200, 10000, sized("9"), plain, 0},
  };
  for (const Workload& workload : workloads)
    if (argc < 2 || std::strstr(workload.name, argv[1])) run(workload);
  return 0;
}

}  // namespace
}  // namespace keelson::sched

int main(int argc, char** argv) {
  return keelson::sched::run_all(argc, argv);
}
