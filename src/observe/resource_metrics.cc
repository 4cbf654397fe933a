// Quantities are written as metrics-server writes them: nanocores and kibibytes.
#include "observe/resource_metrics.h"

#include <algorithm>
#include <set>

namespace keelson::observe {
namespace {

// A little less than ten seconds, because samples that come every ten are late by a millisecond.
constexpr Duration kWindow = Duration::seconds(9);

Value usage_value(std::int64_t nanocores, std::int64_t bytes) {
  return Value::object({{"cpu", nanocores == 0 ? "0" : std::to_string(nanocores) + "n"},
                        {"memory", std::to_string((bytes + 1023) / 1024) + "Ki"}});
}

Value object(std::string_view kind, Value metadata, Instant at, Duration window) {
  metadata.set("creationTimestamp", to_rfc3339(at));
  return Value::object({{"apiVersion", "metrics.k8s.io/v1beta1"},
                        {"kind", kind},
                        {"metadata", std::move(metadata)},
                        {"timestamp", to_rfc3339(at)},
                        {"window", to_text(window)}});
}

Value pod_object(const std::string& ns, const std::string& name, const PodUsage& usage) {
  Value metadata = Value::object({{"name", name}, {"namespace", ns}});
  if (usage.labels.is_object()) metadata.set("labels", usage.labels);
  Value out = object("PodMetrics", std::move(metadata), usage.at, usage.window);
  Value containers = Value::array();
  for (const ContainerUsage& container : usage.containers)
    containers.push_back(
        Value::object({{"name", container.container},
                       {"usage", usage_value(container.cpu_nanocores, container.memory)}}));
  out.set("containers", std::move(containers));
  return out;
}

}  // namespace

void ResourceMetrics::sample(const std::vector<ContainerReading>& readings, MetricsScale scale,
                             Instant now) {
  std::set<std::string> seen;
  std::map<std::pair<std::string, std::string>, PodUsage> pods;
  std::set<std::pair<std::string, std::string>> incomplete;
  for (const ContainerReading& reading : readings) {
    const std::string key = reading.namespace_ + "/" + reading.pod + "/" + reading.container;
    seen.insert(key);
    Container& container = containers_[key];
    if (container.run_id != reading.run_id) container = {.run_id = reading.run_id, .points = {}};
    auto& points = container.points;
    points.push_back({now, reading.cpu});
    // The first point is the youngest that is at least a window old.
    while (points.size() > 2 && now - points[1].at >= kWindow) points.pop_front();
    const std::pair<std::string, std::string> pod_key{reading.namespace_, reading.pod};
    const Duration window = points.back().at - points.front().at;
    if (window <= Duration()) {
      incomplete.insert(pod_key);
      continue;
    }
    const Duration spent = points.back().cpu - points.front().cpu;
    PodUsage& pod = pods[pod_key];
    pod.node = reading.node;
    pod.labels = reading.labels;
    pod.at = now;
    pod.window = std::max(pod.window, window);
    const double rate = static_cast<double>(std::max<std::int64_t>(0, spent.count_nanoseconds())) /
                        window.to_seconds();
    pod.containers.push_back(
        {reading.container,
         static_cast<std::int64_t>(rate *
                                   static_cast<double>(std::max<std::int64_t>(1, scale.cpu))),
         reading.memory * (reading.scaled_memory ? std::max<std::int64_t>(1, scale.memory) : 1)});
  }
  for (const auto& key : incomplete) pods.erase(key);
  std::erase_if(containers_, [&](const auto& entry) { return !seen.contains(entry.first); });
  for (auto& [key, pod] : pods)
    std::sort(pod.containers.begin(), pod.containers.end(),
              [](const auto& a, const auto& b) { return a.container < b.container; });
  pods_ = std::move(pods);
}

std::vector<Value> ResourceMetrics::pod_metrics(std::string_view ns) const {
  std::vector<Value> out;
  for (const auto& [key, usage] : pods_)
    if (ns.empty() || key.first == ns) out.push_back(pod_object(key.first, key.second, usage));
  return out;
}

Value ResourceMetrics::pod_metrics(std::string_view ns, std::string_view name) const {
  const auto at = pods_.find({std::string(ns), std::string(name)});
  return at == pods_.end() ? Value() : pod_object(at->first.first, at->first.second, at->second);
}

std::vector<Value> ResourceMetrics::node_metrics() const {
  struct Sum {
    std::int64_t cpu = 0, memory = 0;
    Instant at;
    Duration window;
  };
  std::map<std::string, Sum> nodes;
  for (const auto& [key, usage] : pods_) {
    Sum& sum = nodes[usage.node];
    sum.at = usage.at;
    sum.window = std::max(sum.window, usage.window);
    for (const ContainerUsage& container : usage.containers) {
      sum.cpu += container.cpu_nanocores;
      sum.memory += container.memory;
    }
  }
  std::vector<Value> out;
  for (const auto& [name, sum] : nodes) {
    Value node = object("NodeMetrics", Value::object({{"name", name}}), sum.at, sum.window);
    node.set("usage", usage_value(sum.cpu, sum.memory));
    out.push_back(std::move(node));
  }
  return out;
}

}  // namespace keelson::observe
