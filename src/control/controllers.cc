#include "control/controllers.h"

#include "control/autoscale/hpa.h"
#include "control/deployment/deployment.h"
#include "control/endpointslice/endpointslice.h"
#include "control/replicaset/replicaset.h"
#include "sched/scheduler.h"

namespace keelson::control {

std::vector<std::unique_ptr<cluster::Controller>> all_controllers(const ControllerNeeds& needs) {
  std::vector<std::unique_ptr<cluster::Controller>> all;
  all.push_back(std::make_unique<NodePoolController>(needs.machine));
  all.push_back(std::make_unique<DeploymentController>());
  all.push_back(std::make_unique<ReplicaSetController>());
  all.push_back(std::make_unique<sched::Scheduler>());
  all.push_back(std::make_unique<EndpointSliceController>());
  if (needs.metrics != nullptr) all.push_back(std::make_unique<HpaController>(*needs.metrics));
  return all;
}

}  // namespace keelson::control
