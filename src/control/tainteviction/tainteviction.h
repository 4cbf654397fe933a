// Taint eviction: pods that do not tolerate a NoExecute taint of their node are deleted, at once or
// when the shortest of their tolerations ends. Times count from when this controller saw the taint.
// Behaviour: pkg/controller/tainteviction of Kubernetes 1.36.
#pragma once

#include <map>
#include <string>

#include "cluster/cluster.h"

namespace keelson::control {

class TaintEvictionController : public cluster::Controller {
 public:
  std::string_view name() const override { return "taint-eviction-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  struct Eviction {
    Instant since, due;
    bool done = false;  // the pod was deleted; kept so that it is not deleted twice
  };
  void follow_node(const cluster::Sync& sync, cluster::Plan& plan);
  void follow_pod(const cluster::Sync& sync, const cluster::Key& key, cluster::Plan& plan);
  void weigh(const codec::Value& pod, const codec::Value& taints, Instant now, cluster::Plan& plan);
  void cancel(const cluster::Key& key, const codec::Value& pod, cluster::Plan& plan);

  std::map<std::string, codec::Value> taints_;  // NoExecute taints by node
  std::map<cluster::Key, Eviction> evictions_;
};

}  // namespace keelson::control
