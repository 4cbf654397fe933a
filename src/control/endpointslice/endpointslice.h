// EndpointSlices: for every Service with a selector, slices that list the pods behind it, grouped
// by the ports that they offer, with as few changes as possible when pods come and go. Behaviour:
// staging/src/k8s.io/endpointslice (reconciler.go) and pkg/controller/endpointslice of
// Kubernetes 1.36.
#pragma once

#include <map>
#include <optional>
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
  // Times of the last changes of a Service and its pods, to tell what is new.
  struct Triggers {
    Instant service;
    std::map<std::string, Instant> pods;
  };
  // What is to be synced when. Changes of pods wait for the batch period, unexpected ones of slices
  // for a second, failed syncs for 1, 2, 4 ... seconds.
  struct Service {
    bool changed = false, pods_changed = false, slices_changed = false;
    std::optional<Instant> due = {};
    int failures = 0;
    std::optional<Triggers> triggers = {};
  };
  std::string trigger_time(Service& state, const codec::Value& service,
                           const std::vector<codec::Value>& pods) const;
  void sync_service(const cluster::Sync& sync, Service& state, cluster::Plan& plan);
  void later(Service& state, Instant when) const;
  void failed(Service& state, const codec::Value& service, Instant now,
              std::vector<std::string> errors, cluster::Plan& plan) const;
  cluster::Watch noting(cluster::Watch watch, bool Service::*what) const;

  EndpointSliceOptions options_;
  // Watches note in these what has changed.
  mutable TopologyHints topology_;
  mutable std::map<cluster::Key, Service> services_;
};

}  // namespace keelson::control
