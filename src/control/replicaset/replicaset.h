// The ReplicaSet controller: as many pods as spec.replicas says, adopted, made or deleted, and a
// status that counts them. It acts on pods only; what the pods are for it does not know. A
// ReplicationController is the same under an older name.
// Behaviour: pkg/controller/replicaset and pkg/controller/replication of Kubernetes 1.36.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "control/common/claims.h"
#include "control/common/expectations.h"
#include "control/common/pods.h"
#include "control/common/script.h"

namespace keelson::control {

struct ReplicaKind {
  OwnerKind owner;
  std::string_view controller;
  bool counts_terminating;  // in the status
};
inline constexpr ReplicaKind kReplicaSetKind{
    {"replicasets.apps", "ReplicaSet"}, "replicaset-controller", true};
inline constexpr ReplicaKind kReplicationControllerKind{
    {"replicationcontrollers", "ReplicationController"}, "replication-controller", false};

// All that one sync decides on.
struct ReplicaSetInputs {
  ReplicaKind kind = kReplicaSetKind;
  Value replica_set;
  Pods pods;     // owned ones and orphans of the namespace
  Pods related;  // of all ReplicaSets with the same controller; needed to choose deletions
  bool may_manage = true;  // false while earlier writes are not seen yet: status only
  Instant now;
};

// What happened to pods, for the controller's expectations.
struct ReplicaSetOutcome {
  Pods created, deleted;
};

// The sync: claims, then creations (in slow start) or deletions, then the status.
Result<void> sync_replica_set(const ReplicaSetInputs& inputs, Script& script,
                              ReplicaSetOutcome& outcome);

class ReplicaSetController : public cluster::Controller {
 public:
  explicit ReplicaSetController(const ReplicaKind& kind = kReplicaSetKind) : kind_(kind) {}
  std::string_view name() const override { return kind_.controller; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  std::vector<cluster::Key> keys_of_pod(const cluster::View& view, const Value& before,
                                        const Value& after) const;

  ReplicaKind kind_;
  // Fed by the watches, which are const: what a controller has seen is not what it is.
  mutable Orphans orphans_{"pods"};
  mutable Expectations expectations_;
};

}  // namespace keelson::control
