// The HorizontalPodAutoscaler controller: every 15 seconds per object it reads the target's scale,
// its pods and the metrics, decides (hpa_plan), writes the scale, and then the status with what
// came of it.
#pragma once

#include <map>

#include "cluster/cluster.h"
#include "control/autoscale/hpa_plan.h"

namespace keelson::control {

inline constexpr Duration kHpaPeriod = Duration::seconds(15);

class HpaController : public cluster::Controller {
 public:
  // metrics outlives the controller.
  explicit HpaController(MetricsSource& metrics, HpaOptions options = {})
      : metrics_(metrics), options_(options) {}
  std::string_view name() const override { return "horizontalpodautoscaler"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  struct Known {
    HpaMemory memory;
    Instant due;
  };
  MetricsSource& metrics_;
  HpaOptions options_;
  std::map<cluster::Key, Known> known_;
};

// The scale of the workload that an HPA targets, from the object itself; nullopt if it is not
// there.
std::optional<Scale> scale_of_target(const cluster::View& view, const codec::Value& hpa);

}  // namespace keelson::control
