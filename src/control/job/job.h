// Jobs: pods that run to their end, as many at once and as many times as the spec says, tried again
// with growing delays. Every pod is counted exactly once although pods may vanish at any time: it
// has a finalizer that is taken away only after its uid stands in the status, and the counter is
// raised only after that.
// Behaviour: pkg/controller/job of Kubernetes 1.36.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "control/common/claims.h"
#include "control/common/delays.h"
#include "control/common/expectations.h"
#include "control/common/script.h"
#include "control/job/job_pods.h"

namespace keelson::control {

// All that one sync decides on.
struct JobInputs {
  Value job;
  Pods pods;  // owned ones and orphans of the namespace
  // Pods whose finalizer was taken away, which the view may not show yet.
  std::set<std::string, std::less<>> released = {};
  jobs::Backoff backoff = {};
  bool may_manage = true;  // false while earlier writes are not seen yet: counting only
  Instant now;
};

// What the controller is to remember.
struct JobOutcome {
  std::optional<jobs::Backoff> backoff = {};
  Pods created = {}, deleted = {};
  std::vector<std::string> released = {};  // uids
  std::vector<Instant> again = {};         // when to sync again besides
};

// The sync: claims, judgement, pods made or deleted, then the counting.
Result<void> sync_job(const JobInputs& inputs, Script& script, JobOutcome& outcome);

class JobController : public cluster::Controller {
 public:
  std::string_view name() const override { return "job-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  struct Memory {
    jobs::Backoff backoff;
    std::set<std::string, std::less<>> released;
  };
  std::vector<cluster::Key> keys_of_job(const Value& before, const Value& after) const;
  std::vector<cluster::Key> keys_of_pod(const cluster::View& view, const Value& before,
                                        const Value& after) const;
  cluster::Plan sync_orphans(const cluster::Sync& sync);
  JobInputs gather(const cluster::Sync& sync, Value job);

  // Fed by the watches, which are const: what a controller has seen is not what it is.
  mutable Orphans orphans_{"pods"};
  mutable Expectations expectations_;
  mutable Delays delays_{Duration::seconds(1), Duration::minutes(1)};
  mutable std::set<cluster::Key> deadline_changed_;
  std::map<cluster::Key, Memory> memory_;
};

}  // namespace keelson::control
