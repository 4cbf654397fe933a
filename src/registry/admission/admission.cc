#include "registry/admission/admission.h"

#include "model/meta.h"

namespace keelson::registry {

const std::vector<Plugin>& default_plugins() {
  using namespace admission;
  static const std::vector<Plugin> plugins = {
      {"NamespaceLifecycle", namespace_lifecycle},
      {"LimitRanger", limit_ranger_mutate, limit_ranger_validate},
      {"ServiceAccount", service_account},
      {"NodeRestriction", node_restriction},
      {"TaintNodesByCondition", taint_new_nodes},
      {"PodSecurity", nullptr, pod_security},
      {"Priority", priority_mutate, priority_validate},
      {"DefaultTolerationSeconds", default_tolerations},
      {"DefaultStorageClass", default_storage_class},
      {"StorageObjectInUseProtection", protect_volumes},
      {"PersistentVolumeClaimResize", nullptr, claim_resize},
      {"RuntimeClass", runtime_class_mutate, runtime_class_validate},
      {"CertificateApproval", nullptr, certificate_approval},
      {"CertificateSigning", nullptr, certificate_signing},
      {"CertificateSubjectRestriction", nullptr, certificate_subject},
      {"DefaultIngressClass", default_ingress_class},
      {"PodTopologyLabels", pod_topology_labels},
      {"MutatingAdmissionPolicy", mutating_policies},
      {"MutatingAdmissionWebhook", mutating_webhooks},
      {"ValidatingAdmissionPolicy", nullptr, validating_policies},
      {"ValidatingAdmissionWebhook", nullptr, validating_webhooks},
      {"ResourceQuota", nullptr, resource_quota},
  };
  return plugins;
}

std::string Admission::name() const {
  if (!call_.request.name.empty()) return call_.request.name;
  return std::string(model::name_of(object_));
}

Error Admission::refuse(std::string_view why) const {
  return forbidden(call_.group_resource(), name(), why);
}

Result<void> Admission::mutate() {
  for (const Plugin& plugin : default_plugins())
    if (plugin.mutate) TRY_VOID(plugin.mutate(*this));
  if (!webhook_rounds_.needed && !policy_rounds_.needed) return {};
  webhook_rounds_.again = policy_rounds_.again = true;
  for (const Plugin& plugin : default_plugins())
    if (plugin.mutate) TRY_VOID(plugin.mutate(*this));
  return {};
}

Result<void> Admission::validate() {
  // On removal the first steps have nothing to change, but may refuse.
  if (removing())
    for (const Plugin& plugin : default_plugins())
      if (plugin.mutate) TRY_VOID(plugin.mutate(*this));
  for (const Plugin& plugin : default_plugins())
    if (plugin.validate) TRY_VOID(plugin.validate(*this));
  return {};
}

}  // namespace keelson::registry
