// CronJobs: a Job for every time of the schedule. Of times that were missed only the last is made
// up for, if its deadline allows it. A Job is named after its time, so none is made twice.
// Behaviour: pkg/controller/cronjob of Kubernetes 1.36.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "control/common/delays.h"
#include "control/common/script.h"

namespace keelson::control {

struct CronJobInputs {
  Value cron_job;
  std::vector<Value> jobs;             // controlled by something of its name
  std::map<std::string, Value> named;  // Jobs by name: of status.active, and of the next start
  Instant now;
};

// The sync: history, what runs, and a start that is due. `again` becomes the time of the next sync;
// it stays empty if none is to come by itself.
Result<void> sync_cron_job(const CronJobInputs& inputs, Script& script,
                           std::optional<Instant>& again);

// When the CronJob is to be looked at again; nullopt: its schedule cannot be read.
std::optional<Instant> next_cron_sync(const Value& cron_job, Instant now);
// The name of the Job for the time that is due, if one is.
std::optional<std::string> due_job_name(const Value& cron_job, Instant now);

class CronJobController : public cluster::Controller {
 public:
  std::string_view name() const override { return "cronjob-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  mutable Delays delays_{Duration::milliseconds(5), Duration::seconds(1000)};
  mutable std::set<cluster::Key> rescheduled_;  // their schedule was changed
};

}  // namespace keelson::control
