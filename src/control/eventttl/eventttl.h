// Events are forgotten an hour after they were last told. Kubernetes leaves that to etcd (leases,
// kube-apiserver --event-ttl); here the store keeps what it is given, and this controller removes.
#pragma once

#include <string_view>
#include <vector>

#include "cluster/cluster.h"

namespace keelson::control {

class EventTtlController : public cluster::Controller {
 public:
  explicit EventTtlController(Duration kept = Duration::hours(1)) : kept_(kept) {}
  std::string_view name() const override { return "event-ttl-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  Duration kept_;
};

}  // namespace keelson::control
