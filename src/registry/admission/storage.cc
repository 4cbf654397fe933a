// Plug-ins of storage and ingress: default classes, protection of what is in use, growth of claims.
#include "base/text.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "registry/admission/admission.h"

namespace keelson::registry::admission {

namespace {

void add_finalizer(Value& object, std::string_view name) {
  Value& finalizers = object.edit("metadata").edit("finalizers");
  for (const Value& one : finalizers.elements())
    if (one.as_string() == name) return;
  finalizers.push_back(name);
}

// The newest object marked as default; of equally old ones the first by name.
Value newest_default(Admission& admission, std::string_view resource,
                     std::initializer_list<std::string_view> annotations) {
  Value chosen;
  for (const store::EntryPtr& entry : admission.state().entries(resource)) {
    const Value& one = entry->value();
    bool marked = false;
    for (std::string_view annotation : annotations)
      marked = marked || model::annotation_of(one, annotation) == "true";
    if (!marked) continue;
    if (chosen.is_null() || model::creation_time_of(one) > model::creation_time_of(chosen))
      chosen = one;
  }
  return chosen;
}

}  // namespace

Result<void> default_storage_class(Admission& admission) {
  if (!admission.creating() || !admission.is("persistentvolumeclaims")) return {};
  Value& claim = admission.object();
  if (claim["spec"].has("storageClassName")) return {};
  if (model::annotations_of(claim).has("volume.beta.kubernetes.io/storage-class")) return {};
  const Value chosen = newest_default(admission, "storageclasses.storage.k8s.io",
                                      {"storageclass.kubernetes.io/is-default-class",
                                       "storageclass.beta.kubernetes.io/is-default-class"});
  if (!chosen.is_null()) claim.edit("spec").set("storageClassName", model::name_of(chosen));
  return {};
}

Result<void> protect_volumes(Admission& admission) {
  if (!admission.creating()) return {};
  if (admission.is("persistentvolumeclaims"))
    add_finalizer(admission.object(), "kubernetes.io/pvc-protection");
  if (admission.is("persistentvolumes"))
    add_finalizer(admission.object(), "kubernetes.io/pv-protection");
  if (admission.is("volumeattributesclasses.storage.k8s.io"))
    add_finalizer(admission.object(), "kubernetes.io/vac-protection");
  return {};
}

Result<void> claim_resize(Admission& admission) {
  if (!admission.updating() || !admission.is("persistentvolumeclaims")) return {};
  const auto size = [](const Value& claim) {
    return model::Quantity::of(claim["spec"]["resources"]["requests"]["storage"]);
  };
  if (size(admission.object()) <= size(admission.old())) return {};
  if (admission.old()["status"]["phase"].as_string() != "Bound")
    return admission.refuse("Only bound persistent volume claims can be expanded");
  const std::string name = admission.object()["spec"]["storageClassName"].str();
  const Value found = admission.state().object("storageclasses.storage.k8s.io", "", name);
  if (found["allowVolumeExpansion"].as_bool()) return {};
  return admission.refuse(
      "only dynamically provisioned pvc can be resized and the storageclass that provisions the "
      "pvc must support resize");
}

Result<void> default_ingress_class(Admission& admission) {
  if (!admission.creating() || !admission.is("ingresses.networking.k8s.io")) return {};
  Value& ingress = admission.object();
  if (ingress["spec"].has("ingressClassName") ||
      model::annotations_of(ingress).has("kubernetes.io/ingress.class"))
    return {};
  const Value chosen = newest_default(admission, "ingressclasses.networking.k8s.io",
                                      {"ingressclass.kubernetes.io/is-default-class"});
  if (!chosen.is_null()) ingress.edit("spec").set("ingressClassName", model::name_of(chosen));
  return {};
}

}  // namespace keelson::registry::admission
