#include "app/acted_on.h"

#include <algorithm>

namespace keelson::app {

bool is_acted_on(std::string_view resource) {
  static constexpr std::string_view kAll[] = {
      "apiservices.apiregistration.k8s.io",
      "bindings",
      "certificatesigningrequests.certificates.k8s.io",
      "clusterrolebindings.rbac.authorization.k8s.io",
      "clusterroles.rbac.authorization.k8s.io",
      "componentstatuses",
      "configmaps",
      "controllerrevisions.apps",
      "cronjobs.batch",
      "customresourcedefinitions.apiextensions.k8s.io",
      "daemonsets.apps",
      "deployments.apps",
      "endpoints",
      "endpointslices.discovery.k8s.io",
      "engines.engine.keelson.dev",
      "events",
      "events.events.k8s.io",
      "flowschemas.flowcontrol.apiserver.k8s.io",
      "horizontalpodautoscalers.autoscaling",
      "ingressclasses.networking.k8s.io",
      "ingresses.networking.k8s.io",
      "ipaddresses.networking.k8s.io",
      "jobs.batch",
      "leases.coordination.k8s.io",
      "limitranges",
      "mutatingadmissionpolicies.admissionregistration.k8s.io",
      "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
      "mutatingwebhookconfigurations.admissionregistration.k8s.io",
      "namespaces",
      "nodes",
      "nodes.metrics.k8s.io",
      "platforms.keelson.dev",
      "poddisruptionbudgets.policy",
      "pods",
      "pods.metrics.k8s.io",
      "podtemplates",
      "priorityclasses.scheduling.k8s.io",
      "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
      "replicasets.apps",
      "replicationcontrollers",
      "resourcequotas",
      "rolebindings.rbac.authorization.k8s.io",
      "roles.rbac.authorization.k8s.io",
      "runtimeclasses.node.k8s.io",
      "secrets",
      "serviceaccounts",
      "servicecidrs.networking.k8s.io",
      "services",
      "statefulsets.apps",
      "validatingadmissionpolicies.admissionregistration.k8s.io",
      "validatingadmissionpolicybindings.admissionregistration.k8s.io",
      "validatingwebhookconfigurations.admissionregistration.k8s.io",
  };
  return std::find(std::begin(kAll), std::end(kAll), resource) != std::end(kAll);
}

}  // namespace keelson::app
