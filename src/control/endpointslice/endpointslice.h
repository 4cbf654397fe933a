// EndpointSlices: for every Service with a selector, slices that list the pods behind it, grouped
// by the ports that they offer, with as few changes as possible when pods come and go. Behaviour:
// staging/src/k8s.io/endpointslice (reconciler.go) and pkg/controller/endpointslice of
// Kubernetes 1.36.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "control/endpointslice/reconcile.h"

namespace keelson::control {

class EndpointSliceController : public cluster::Controller {
 public:
  explicit EndpointSliceController(EndpointSliceOptions options = {}) : options_(options) {}
  std::string_view name() const override { return "endpointslice-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  EndpointSliceOptions options_;
};

}  // namespace keelson::control
