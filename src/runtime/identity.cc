#include "runtime/identity.h"

namespace keelson::runtime {

namespace {
constexpr std::string_view kKubelet = "kubelet/";
bool is_scheduler(std::string_view component) {
  return component == "default-scheduler" || component == "kube-scheduler";
}
}  // namespace

registry::Identity identity_of(std::string_view component) {
  registry::Identity identity;
  if (component.starts_with(kKubelet)) {
    identity.user = "system:node:" + std::string(component.substr(kKubelet.size()));
    identity.groups = {"system:nodes", "system:authenticated"};
    return identity;
  }
  if (is_scheduler(component)) {
    identity.user = "system:kube-scheduler";
    identity.groups = {"system:authenticated"};
    return identity;
  }
  if (component == "keelson") {
    identity.user = "system:apiserver";
    identity.groups = {"system:authenticated", "system:masters"};
    return identity;
  }
  identity.user = "system:serviceaccount:kube-system:" + std::string(component);
  // Part of this process, so trusted with everything, whatever the roles in the cluster say.
  identity.groups = {"system:serviceaccounts", "system:serviceaccounts:kube-system",
                     "system:authenticated", "system:masters"};
  return identity;
}

std::string field_manager_of(std::string_view component) {
  if (component.starts_with(kKubelet)) return "kubelet";
  if (is_scheduler(component)) return "kube-scheduler";
  if (component.ends_with("-controller")) return "kube-controller-manager";
  return std::string(component);
}

}  // namespace keelson::runtime
