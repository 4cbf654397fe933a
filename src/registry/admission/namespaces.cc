// NamespaceLifecycle: nothing is written into a namespace that does not exist, nothing new into one
// that ends, and the namespaces that the system needs stay.
#include "model/meta.h"
#include "registry/admission/admission.h"

namespace keelson::registry::admission {

Result<void> namespace_lifecycle(Admission& admission) {
  const bool is_namespace = admission.resource() == "namespaces";
  // Questions about access may be asked of any namespace.
  if (admission.operation() == Admission::Operation::connect ||
      admission.resource() == "localsubjectaccessreviews.authorization.k8s.io")
    return {};
  if (admission.removing()) {
    const std::string name = admission.call().request.name;
    if (is_namespace && (name == "default" || name == "kube-system" || name == "kube-public"))
      return admission.refuse("this namespace may not be deleted");
    return {};
  }
  const std::string& ns = admission.namespace_name();
  if (ns.empty() || is_namespace || !admission.call().storage->namespaced) return {};
  const Value& found = admission.state().object("namespaces", "", ns);
  if (found.is_null()) return not_found({"", "namespaces"}, ns);
  if (!admission.creating() || found["status"]["phase"].as_string() != "Terminating") return {};
  Error error = admission.refuse("unable to create new content in namespace " + ns +
                                 " because it is being terminated");
  error.causes.push_back(
      {"NamespaceTerminating", "metadata.namespace", "namespace " + ns + " is being terminated"});
  return error;
}

}  // namespace keelson::registry::admission
