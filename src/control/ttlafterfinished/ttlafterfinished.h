// Finished Jobs with a spec.ttlSecondsAfterFinished are deleted once it is over, their pods first.
// Behaviour: pkg/controller/ttlafterfinished of Kubernetes 1.36.
#pragma once

#include <string_view>
#include <vector>

#include "cluster/cluster.h"

namespace keelson::control {

class TtlAfterFinishedController : public cluster::Controller {
 public:
  std::string_view name() const override { return "ttl-after-finished-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;
};

}  // namespace keelson::control
