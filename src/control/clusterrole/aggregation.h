// ClusterRole aggregation: a ClusterRole with an aggregationRule has the rules of all ClusterRoles
// that its selectors match, so that "view" or "admin" grow with what is installed.
// Behaviour: pkg/controller/clusterroleaggregation.
#pragma once

#include <string_view>
#include <vector>

#include "cluster/cluster.h"

namespace keelson::control {

class ClusterRoleAggregation : public cluster::Controller {
 public:
  std::string_view name() const override { return "clusterrole-aggregation-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;
};

}  // namespace keelson::control
