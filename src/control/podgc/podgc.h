// Pod garbage: every 20 seconds removes finished pods beyond a threshold, pods whose node is gone
// (after a quarantine), pods that end on a node declared out of service, and pods that end without
// ever having had a node. Behaviour: pkg/controller/podgc of Kubernetes 1.36.
#pragma once

#include <map>
#include <string>

#include "cluster/cluster.h"

namespace keelson::control {

struct PodGcOptions {
  Duration period = Duration::seconds(20), quarantine = Duration::seconds(40);
  std::size_t finished_max = 12'500;
};

class PodGcController : public cluster::Controller {
 public:
  explicit PodGcController(PodGcOptions options = {}) : options_(options) {}
  std::string_view name() const override { return "pod-garbage-collector"; }
  std::vector<cluster::Watch> watches() const override { return {}; }
  std::vector<cluster::Key> start(const cluster::View&) override { return {{"", "pods"}}; }
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  void collect(const cluster::Sync& sync, cluster::Plan& plan);
  PodGcOptions options_;
  Instant due_;
  std::map<std::string, Instant> missing_;  // nodes that are not there -> when the quarantine ends
};

}  // namespace keelson::control
