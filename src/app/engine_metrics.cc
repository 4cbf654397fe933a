#include "app/engine_metrics.h"

#include "model/quantity.h"
#include "model/selector.h"

namespace keelson::app {
namespace {

constexpr Duration kPeriod = Duration::seconds(10);

Error no_adapter(std::string_view api, std::string_view metric) {
  return {Reason::not_found,
          "no " + std::string(api) + " metrics API serves " + std::string(metric)};
}

model::Quantity quantity(const std::string& text) {
  return model::Quantity::parse(text).value_or(model::Quantity());
}

}  // namespace

void EngineMetrics::start() {
  sample();
}

void EngineMetrics::sample() {
  std::vector<observe::ContainerReading> readings;
  for (node::ContainerSample& sample : nodes_.samples())
    readings.push_back({.namespace_ = std::move(sample.namespace_),
                        .pod = std::move(sample.pod),
                        .container = std::move(sample.container),
                        .node = std::move(sample.node),
                        .run_id = std::move(sample.run_id),
                        .labels = std::move(sample.labels),
                        .cpu = sample.usage.cpu,
                        .memory = sample.usage.memory,
                        .scaled_memory = sample.stand_in});
  const node::Scale scale = node::scale_of(view_.list("platforms.keelson.dev"));
  metrics_.sample(readings, {scale.cpu, scale.memory}, loop_.now());
  timer_ = loop_.call_at(loop_.now() + kPeriod, [this] { sample(); });
}

api::ComputedGroup EngineMetrics::group() const {
  api::ComputedResource nodes{.plural = "nodes", .singular = "", .kind = "NodeMetrics"};
  nodes.list = [this](std::string_view) { return metrics_.node_metrics(); };
  api::ComputedResource pods{
      .plural = "pods", .singular = "", .kind = "PodMetrics", .namespaced = true};
  pods.list = [this](std::string_view ns) { return metrics_.pod_metrics(ns); };
  pods.get = [this](std::string_view ns, std::string_view name) {
    return metrics_.pod_metrics(ns, name);
  };
  return {.group = "metrics.k8s.io", .version = "v1beta1", .resources = {nodes, pods}};
}

Result<std::vector<control::PodUsage>> EngineMetrics::resource(std::string_view ns,
                                                               const model::LabelSelector& pods) {
  std::vector<control::PodUsage> out;
  for (const auto& [key, usage] : metrics_.pods()) {
    if (key.first != ns || !pods.matches(usage.labels)) continue;
    control::PodUsage pod{
        .pod = key.second, .timestamp = usage.at, .window = usage.window, .containers = {}};
    for (const observe::ContainerUsage& container : usage.containers)
      pod.containers.push_back({container.container,
                                {{"cpu", quantity(std::to_string(container.cpu_nanocores) + "n")},
                                 {"memory", quantity(std::to_string(container.memory))}}});
    out.push_back(std::move(pod));
  }
  return out;
}

Result<std::vector<control::PodSample>> EngineMetrics::pods(std::string_view,
                                                            const model::LabelSelector&,
                                                            std::string_view metric,
                                                            const model::LabelSelector&) {
  return no_adapter("custom", metric);
}

Result<std::int64_t> EngineMetrics::object(std::string_view, const codec::Value&,
                                           std::string_view metric, const model::LabelSelector&) {
  return no_adapter("custom", metric);
}

Result<std::vector<std::int64_t>> EngineMetrics::external(std::string_view, std::string_view metric,
                                                          const model::LabelSelector&) {
  return no_adapter("external", metric);
}

}  // namespace keelson::app
