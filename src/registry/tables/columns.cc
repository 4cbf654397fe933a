// Data of Kubernetes' printers; the notation is that of columns.h.
#include "registry/tables/columns.h"

namespace keelson::registry {

const char* const kColumns = R"(
pods
  Name
  Ready = @pod_ready
  Status = @pod_status
  Restarts = @pod_restarts
  Age
  IP*1 = @pod_address
  Node*1 = .spec.nodeName?<none>
  Nominated Node*1 = .status.nominatedNodeName?<none>
  Readiness Gates*1 = @pod_gates
podtemplates
  Name
  Containers = names .template.spec.containers
  Images = images .template.spec.containers
  Pod Labels = labels .template.metadata.labels
poddisruptionbudgets.policy
  Name
  Min Available = .spec.minAvailable?N/A
  Max Unavailable = .spec.maxUnavailable?N/A
  Allowed Disruptions:integer = int .status.disruptionsAllowed
  Age
replicationcontrollers
  Name
  Desired:integer = int .spec.replicas
  Current:integer = int .status.replicas
  Ready:integer = int .status.readyReplicas
  Age
  Containers*1 = names .spec.template.spec.containers
  Images*1 = images .spec.template.spec.containers
  Selector*1 = labels .spec.selector
replicasets.apps
  Name
  Desired:integer = int .spec.replicas
  Current:integer = int .status.replicas
  Ready:integer = int .status.readyReplicas
  Age
  Containers*1 = names .spec.template.spec.containers
  Images*1 = images .spec.template.spec.containers
  Selector*1 = selector .spec.selector
daemonsets.apps
  Name
  Desired:integer = int .status.desiredNumberScheduled
  Current:integer = int .status.currentNumberScheduled
  Ready:integer = int .status.numberReady
  Up-to-date:integer = int .status.updatedNumberScheduled
  Available:integer = int .status.numberAvailable
  Node Selector = labels .spec.template.spec.nodeSelector
  Age
  Containers*1 = names .spec.template.spec.containers
  Images*1 = images .spec.template.spec.containers
  Selector*1 = selector .spec.selector
deployments.apps
  Name
  Ready = @replicas_ready
  Up-to-date = int .status.updatedReplicas
  Available = int .status.availableReplicas
  Age
  Containers*1 = names .spec.template.spec.containers
  Images*1 = images .spec.template.spec.containers
  Selector*1 = selector .spec.selector
statefulsets.apps
  Name
  Ready = @replicas_ready
  Age
  Containers*1 = names .spec.template.spec.containers
  Images*1 = images .spec.template.spec.containers
controllerrevisions.apps
  Name
  Controller = @controller
  Revision = int .revision
  Age
jobs.batch
  Name
  Status = @job_status
  Completions = @job_completions
  Duration = @job_duration
  Age
  Containers*1 = names .spec.template.spec.containers
  Images*1 = images .spec.template.spec.containers
  Selector*1 = selector .spec.selector
cronjobs.batch
  Name
  Schedule = .spec.schedule
  Timezone = .spec.timeZone?<none>
  Suspend:boolean = @cron_suspended
  Active:integer = count .status.active
  Last Schedule = @cron_last
  Age
  Containers*1 = names .spec.jobTemplate.spec.template.spec.containers
  Images*1 = images .spec.jobTemplate.spec.template.spec.containers
  Selector*1 = selector .spec.jobTemplate.spec.selector
services
  Name
  Type = .spec.type
  Cluster-IP = @service_address
  External-IP = @service_external
  Port(s) = @service_ports
  Age
  Selector*1 = labels .spec.selector
endpoints
  Name
  Endpoints = @endpoints
  Age
endpointslices.discovery.k8s.io
  Name
  AddressType = .addressType
  Ports = @slice_ports
  Endpoints = @slice_endpoints
  Age
ingresses.networking.k8s.io
  Name
  Class = .spec.ingressClassName?<none>
  Hosts = @ingress_hosts
  Address = @balancer_addresses
  Ports = @ingress_ports
  Age
ingressclasses.networking.k8s.io
  Name/name = @default_ingress_class
  Controller = .spec.controller
  Parameters = @class_parameters
  Age
networkpolicies.networking.k8s.io
  Name
  Pod-Selector = selector .spec.podSelector
  Age
servicecidrs.networking.k8s.io
  Name
  CIDRs = join .spec.cidrs
  Age
ipaddresses.networking.k8s.io
  Name
  ParentRef = @address_parent
  = age .metadata.creationTimestamp
nodes
  Name
  Status = @node_status
  Roles = @node_roles
  Age
  Version = .status.nodeInfo.kubeletVersion
  Internal-IP*1 = @node_internal
  External-IP*1 = @node_external
  OS-Image*1 = .status.nodeInfo.osImage?<unknown>
  Kernel-Version*1 = @node_kernel
  Container-Runtime*1 = .status.nodeInfo.containerRuntimeVersion?<unknown>
namespaces
  Name
  Status = .status.phase
  Age
events
  Last Seen = @event_last
  Type = .type
  Reason = .reason
  Object = @event_object
  Subobject*1 = .involvedObject.fieldPath
  Source*1 = @event_source
  Message = @event_message
  First Seen*1 = @event_first
  Count*1 = @event_count
  Name/name*1 = .metadata.name
events.events.k8s.io
  Last Seen = @event_last
  Type = .type
  Reason = .reason
  Object = @event_object
  Subobject*1 = .regarding.fieldPath
  Source*1 = @event_source
  Message = @event_message
  First Seen*1 = @event_first
  Count*1 = @event_count
  Name/name*1 = .metadata.name
configmaps
  Name
  Data = count .data .binaryData
  Age
secrets
  Name
  Type = .type
  Data = count .data
  Age
serviceaccounts
  Name
  Age
persistentvolumes
  Name
  Capacity = @volume_capacity
  Access Modes = @volume_modes
  Reclaim Policy = .spec.persistentVolumeReclaimPolicy
  Status = @volume_phase
  Claim = @volume_claim
  StorageClass = @volume_class
  VolumeAttributesClass = .spec.volumeAttributesClassName?<unset>
  Reason = .status.reason
  Age
  VolumeMode*1 = .spec.volumeMode?<unset>
persistentvolumeclaims
  Name
  Status = @volume_phase
  Volume = .spec.volumeName
  Capacity = @claim_capacity
  Access Modes = @claim_modes
  StorageClass = @volume_class
  VolumeAttributesClass = .spec.volumeAttributesClassName?<unset>
  Age
  VolumeMode*1 = .spec.volumeMode?<unset>
resourcequotas
  Name
  Request = @quota_requests
  Limit = @quota_limits
  Age
componentstatuses
  Name
  Status = @component_status
  Message = @component_message
  Error = @component_error
horizontalpodautoscalers.autoscaling
  Name
  Reference = @scale_target
  Targets = @scale_metrics
  MinPods = .spec.minReplicas?<unset>
  MaxPods = int .spec.maxReplicas
  Replicas = int .status.currentReplicas
  Age
rolebindings.rbac.authorization.k8s.io
  Name
  Role = @role_reference
  Age
  Users*1 = @subject_users
  Groups*1 = @subject_groups
  ServiceAccounts*1 = @subject_accounts
clusterrolebindings.rbac.authorization.k8s.io
  Name
  Role = @role_reference
  Age
  Users*1 = @subject_users
  Groups*1 = @subject_groups
  ServiceAccounts*1 = @subject_accounts
certificatesigningrequests.certificates.k8s.io
  Name
  Age
  SignerName = .spec.signerName?<none>
  Requestor = .spec.username
  RequestedDuration = @certificate_duration
  Condition = @certificate_condition
leases.coordination.k8s.io
  Name
  Holder = .spec.holderIdentity
  Age
storageclasses.storage.k8s.io
  Name/name = @default_storage_class
  Provisioner = .provisioner
  ReclaimPolicy = .reclaimPolicy?Delete
  VolumeBindingMode = .volumeBindingMode?Immediate
  AllowVolumeExpansion = bool .allowVolumeExpansion
  Age
volumeattributesclasses.storage.k8s.io
  Name
  DriverName = .driverName
  Age
volumeattachments.storage.k8s.io
  Name
  Attacher/name = .spec.attacher
  PV = .spec.source.persistentVolumeName
  Node = .spec.nodeName
  Attached:boolean = bool .status.attached
  Age
csinodes.storage.k8s.io
  Name
  Drivers:integer = count .spec.drivers
  Age
csidrivers.storage.k8s.io
  Name
  AttachRequired:boolean = bool .spec.attachRequired?true
  PodInfoOnMount:boolean = bool .spec.podInfoOnMount
  StorageCapacity:boolean = bool .spec.storageCapacity
  TokenRequests = @driver_audiences
  RequiresRepublish:boolean = bool .spec.requiresRepublish
  Modes = join .spec.volumeLifecycleModes?<none>
  Age
mutatingwebhookconfigurations.admissionregistration.k8s.io
  Name
  Webhooks:integer = count .webhooks
  Age
validatingwebhookconfigurations.admissionregistration.k8s.io
  Name
  Webhooks:integer = count .webhooks
  Age
validatingadmissionpolicies.admissionregistration.k8s.io
  Name
  Validations:integer = count .spec.validations
  ParamKind = @policy_parameters
  Age
mutatingadmissionpolicies.admissionregistration.k8s.io
  Name
  Mutations:integer = count .spec.mutations
  ParamKind = @policy_parameters
  Age
validatingadmissionpolicybindings.admissionregistration.k8s.io
  Name
  PolicyName = .spec.policyName
  ParamRef = @binding_parameters
  Age
mutatingadmissionpolicybindings.admissionregistration.k8s.io
  Name
  PolicyName = .spec.policyName
  ParamRef = @binding_parameters
  Age
priorityclasses.scheduling.k8s.io
  Name
  Value:integer = int .value
  Global-Default:boolean = bool .globalDefault
  Age
  PreemptionPolicy = .preemptionPolicy
runtimeclasses.node.k8s.io
  Name
  Handler = .handler
  Age
flowschemas.flowcontrol.apiserver.k8s.io
  Name
  PriorityLevel = .spec.priorityLevelConfiguration.name
  MatchingPrecedence = int .spec.matchingPrecedence
  DistinguisherMethod = .spec.distinguisherMethod.type?<none>
  Age
  MissingPL = @flow_dangling
prioritylevelconfigurations.flowcontrol.apiserver.k8s.io
  Name
  Type = .spec.type
  NominalConcurrencyShares = @level_shares
  Queues = @level_queues
  HandSize = @level_hand
  QueueLengthLimit = @level_queue_length
  Age
apiservices.apiregistration.k8s.io
  Name
  Service = @api_service
  Available = @api_available
  Age
deviceclasses.resource.k8s.io
  Name
  Age
resourceclaims.resource.k8s.io
  Name
  State = @device_claim_state
  Age
resourceclaimtemplates.resource.k8s.io
  Name
  Age
resourceslices.resource.k8s.io
  Name
  Node = .spec.nodeName
  Driver = .spec.driver
  Pool = .spec.pool.name
  Age
scale
  Name:string = .metadata.name
  Desired:integer = int .spec.replicas
  Available:integer = int .status.replicas
  Age
)";

}  // namespace keelson::registry
