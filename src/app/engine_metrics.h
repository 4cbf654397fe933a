// The engine's resource metrics: samples the nodes' containers, serves metrics.k8s.io, and feeds
// the autoscaler from the same figures.
#pragma once

#include <memory>

#include "api/server.h"
#include "control/autoscale/metrics_source.h"
#include "host/loop.h"
#include "node/node_host.h"
#include "node/stand_in_rules.h"
#include "observe/resource_metrics.h"

namespace keelson::app {

class EngineMetrics : public control::MetricsSource {
 public:
  // All outlive this object.
  EngineMetrics(host::Loop& loop, const cluster::View& view, node::NodeHost& nodes)
      : loop_(loop), view_(view), nodes_(nodes) {}
  void start();
  api::ComputedGroup group() const;

  Result<std::vector<control::PodUsage>> resource(std::string_view ns,
                                                  const model::LabelSelector& pods) override;
  // Custom and external metrics have no adapter here.
  Result<std::vector<control::PodSample>> pods(std::string_view ns, const model::LabelSelector&,
                                               std::string_view metric,
                                               const model::LabelSelector&) override;
  Result<std::int64_t> object(std::string_view ns, const codec::Value& described,
                              std::string_view metric, const model::LabelSelector&) override;
  Result<std::vector<std::int64_t>> external(std::string_view ns, std::string_view metric,
                                             const model::LabelSelector&) override;

 private:
  void sample();

  host::Loop& loop_;
  const cluster::View& view_;
  node::NodeHost& nodes_;
  observe::ResourceMetrics metrics_;
  std::shared_ptr<void> timer_;
};

}  // namespace keelson::app
