// The DaemonSet controller: one pod on every node that fits, bound there by its affinity, replaced
// node by node when the template changes.
// Behaviour: pkg/controller/daemon of Kubernetes 1.36.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "control/common/claims.h"
#include "control/common/expectations.h"
#include "control/common/history.h"
#include "control/common/pods.h"
#include "control/common/script.h"

namespace keelson::control {

// How long failed pods of a node are left before they are replaced: doubled on every failure, reset
// after a long peace. By node name, for one generation of one DaemonSet.
struct FailedPodDelay {
  Duration delay;
  Instant since;
};
using FailedPodDelays = std::map<std::string, FailedPodDelay, std::less<>>;

// All that one sync decides on.
struct DaemonSetInputs {
  Value set;
  std::vector<Value> nodes;  // by name
  Pods pods;                 // owned ones and orphans of the namespace
  Revisions revisions;       // owned ones and orphans, in order
  FailedPodDelays delays;
  bool may_manage = true;     // false while earlier writes are not seen yet: status only
  bool became_ready = false;  // a pod did since the last sync
  Instant now;
};

struct DaemonSetOutcome {
  Pods created, deleted;
  FailedPodDelays delays;
};

Result<void> sync_daemon_set(const DaemonSetInputs& inputs, Script& script,
                             DaemonSetOutcome& outcome);

class DaemonSetController : public cluster::Controller {
 public:
  std::string_view name() const override { return "daemonset-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  struct Delays {
    std::int64_t generation = 0;  // observed; a change of the set starts anew
    FailedPodDelays by_node;
  };
  std::vector<cluster::Key> keys_of_pod(const cluster::View& view, const Value& before,
                                        const Value& after) const;
  std::vector<cluster::Key> keys_of_revision(const cluster::View& view, const Value& before,
                                             const Value& after) const;

  // Fed by the watches, which are const.
  mutable Orphans orphan_pods_{"pods"};
  mutable Orphans orphan_revisions_{"controllerrevisions.apps"};
  mutable Expectations expectations_;
  mutable std::set<cluster::Key> became_ready_;  // sets with a pod that did since their last sync
  std::map<std::string, Delays, std::less<>> delays_;  // by uid
};

}  // namespace keelson::control
