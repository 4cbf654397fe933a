#include "registry/admin_access.h"

#include "model/meta.h"

namespace keelson::registry {

model::FieldErrors check_admin_access(const Registry::State& state, const Call& call,
                                      const Value& object) {
  model::FieldErrors errors;
  const std::string name = call.storage->name();
  const bool is_template = name == "resourceclaimtemplates.resource.k8s.io";
  if (!is_template && name != "resourceclaims.resource.k8s.io") return errors;
  const Value& spec = is_template ? object["spec"]["spec"] : object["spec"];
  const Value& requests = spec["devices"]["requests"];
  constexpr std::string_view kLabel = "resource.kubernetes.io/admin-access";
  // A template's paths are those of a claim, as the original has them.
  const model::Path root("spec"), path = root.child("devices.requests");
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!requests[i]["exactly"]["adminAccess"].as_bool()) continue;
    const Value& ns = state.object("namespaces", "", call.request.namespace_);
    if (model::label_of(ns, kLabel) == "true") return errors;
    const model::Path at = path.index(i);
    errors.forbidden(at.child("adminAccess"), "admin access to devices requires the `" +
                                                  std::string(kLabel) +
                                                  ": true` label on the containing namespace");
    return errors;
  }
  return errors;
}

}  // namespace keelson::registry
