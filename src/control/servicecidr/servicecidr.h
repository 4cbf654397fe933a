// ServiceCIDRs: each is marked ready and protected by a finalizer; one that is deleted goes once no
// address of a Service lies in it alone. The API server allocates from those that are ready.
// Behaviour: pkg/controller/servicecidrs.
#pragma once

#include <string_view>
#include <vector>

#include "cluster/cluster.h"

namespace keelson::control {

class ServiceCidrController : public cluster::Controller {
 public:
  std::string_view name() const override { return "service-cidr-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;
};

}  // namespace keelson::control
