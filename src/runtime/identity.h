// Who a component is to the registry, as in a Kubernetes cluster: controllers are service accounts
// of kube-system, a kubelet is its node, the scheduler is system:kube-scheduler.
#pragma once

#include <string>
#include <string_view>

#include "registry/request.h"
#include "runtime/embedded_cluster.h"

namespace keelson::registry {
class Registry;
}

namespace keelson::runtime {

// "deployment-controller", "default-scheduler", "kubelet/n1"; "keelson" is the API server itself.
registry::Identity identity_of(std::string_view component);
// The manager that Kubernetes' managedFields would name.
std::string field_manager_of(std::string_view component);

// Writes through the registry, which must outlive the result. A write without a field manager gets
// its component's.
Execute execute_through(registry::Registry& registry);
ExecuteLater execute_later_through(registry::Registry& registry);

}  // namespace keelson::runtime
