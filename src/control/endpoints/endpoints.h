// Endpoints, the older form of EndpointSlices, both ways: for every Service with a selector an
// object of that name lists its pods; and what a user writes there for a Service without one is
// copied into slices, which is what proxies read.
// Behaviour: pkg/controller/endpoint and pkg/controller/endpointslicemirroring of Kubernetes 1.36.
// The annotation with the time of the last change is not written.
#pragma once

#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "codec/value.h"

namespace keelson::control {

using codec::Value;

// The subsets for these pods, those that the Service selects; at most 1000 addresses. Addresses
// that offer the same ports stand together.
struct EndpointSubsets {
  Value subsets = Value::array();
  bool truncated = false;
};
EndpointSubsets subsets_of(const Value& service, const std::vector<Value>& pods);

// The slices that show the same as the Endpoints object, one for each subset and kind of address;
// without names.
struct MirroredSlices {
  std::vector<Value> slices;
  std::size_t skipped = 0;  // addresses beyond the thousandth of a subset
};
MirroredSlices slices_of(const Value& endpoints);

class EndpointsController : public cluster::Controller {
 public:
  std::string_view name() const override { return "endpoint-controller"; }
  std::vector<cluster::Watch> watches() const override;
  std::vector<cluster::Key> start(const cluster::View& view) override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;
};

class EndpointSliceMirroringController : public cluster::Controller {
 public:
  std::string_view name() const override { return "endpointslicemirroring-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;
};

}  // namespace keelson::control
