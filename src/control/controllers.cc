#include "control/controllers.h"

#include "control/autoscale/hpa.h"
#include "control/clusterrole/aggregation.h"
#include "control/common/kinds.h"
#include "control/cronjob/cronjob.h"
#include "control/daemonset/daemonset.h"
#include "control/deployment/deployment.h"
#include "control/disruption/disruption.h"
#include "control/endpoints/endpoints.h"
#include "control/endpointslice/endpointslice.h"
#include "control/eventttl/eventttl.h"
#include "control/gc/gc.h"
#include "control/job/job.h"
#include "control/namespace/namespace.h"
#include "control/nodelifecycle/nodelifecycle.h"
#include "control/podgc/podgc.h"
#include "control/policystatus/policystatus.h"
#include "control/protection/protection.h"
#include "control/replicaset/replicaset.h"
#include "control/resourcequota/resourcequota.h"
#include "control/serviceaccount/serviceaccount.h"
#include "control/serviceaccount/tokens.h"
#include "control/servicecidr/servicecidr.h"
#include "control/statefulset/statefulset.h"
#include "control/tainteviction/tainteviction.h"
#include "control/ttlafterfinished/ttlafterfinished.h"
#include "sched/scheduler.h"

namespace keelson::control {

std::vector<std::unique_ptr<cluster::Controller>> all_controllers(const ControllerNeeds& needs) {
  std::vector<std::unique_ptr<cluster::Controller>> all;
  all.push_back(std::make_unique<NodePoolController>(needs.machine));
  all.push_back(std::make_unique<NodeLifecycleController>());
  all.push_back(std::make_unique<TaintEvictionController>());
  all.push_back(std::make_unique<DeploymentController>());
  all.push_back(std::make_unique<ReplicaSetController>());
  all.push_back(std::make_unique<ReplicaSetController>(kReplicationControllerKind));
  all.push_back(std::make_unique<StatefulSetController>());
  all.push_back(std::make_unique<DaemonSetController>());
  all.push_back(std::make_unique<JobController>());
  all.push_back(std::make_unique<CronJobController>());
  all.push_back(std::make_unique<TtlAfterFinishedController>());
  all.push_back(std::make_unique<ServiceAccountController>());
  if (!needs.ca_pem.empty()) all.push_back(std::make_unique<RootCaPublisher>(needs.ca_pem));
  if (needs.authority != nullptr) {
    all.push_back(std::make_unique<CertificateApprover>(*needs.authority));
    all.push_back(std::make_unique<CertificateSigner>(*needs.authority));
    all.push_back(std::make_unique<CertificateCleaner>(*needs.authority));
  }
  if (needs.sign_token)
    all.push_back(std::make_unique<TokenSecretController>(needs.sign_token, needs.ca_pem));
  all.push_back(std::make_unique<ServiceCidrController>());
  all.push_back(std::make_unique<EventTtlController>());
  all.push_back(std::make_unique<ClusterRoleAggregation>());
  all.push_back(std::make_unique<ClaimProtection>());
  all.push_back(std::make_unique<VolumeProtection>());
  all.push_back(std::make_unique<sched::Scheduler>());
  all.push_back(std::make_unique<EndpointSliceController>());
  all.push_back(std::make_unique<EndpointsController>());
  all.push_back(std::make_unique<EndpointSliceMirroringController>());
  all.push_back(std::make_unique<PodGcController>());
  if (needs.metrics != nullptr) all.push_back(std::make_unique<HpaController>(*needs.metrics));
  return all;
}

std::vector<std::unique_ptr<cluster::Controller>> controllers_of_all_kinds(
    const model::TypeTable& types) {
  std::vector<std::unique_ptr<cluster::Controller>> all;
  all.push_back(std::make_unique<NamespaceController>(object_kinds(types)));
  all.push_back(std::make_unique<GarbageCollector>(object_kinds(types)));
  all.push_back(std::make_unique<DisruptionController>(object_kinds(types)));
  all.push_back(std::make_unique<ResourceQuotaController>(object_kinds(types)));
  all.push_back(std::make_unique<PolicyStatusController>(types));
  return all;
}

}  // namespace keelson::control
