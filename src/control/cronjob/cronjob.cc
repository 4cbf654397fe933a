// What the CronJob controller watches, and the gathering of a sync's inputs.
#include "control/cronjob/cronjob.h"

#include "control/common/claims.h"
#include "control/common/templates.h"
#include "model/cron_schedule.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

using cluster::Key;

constexpr std::string_view kCronJobs = "cronjobs.batch", kJobs = "jobs.batch";

// Whom a change of a Job concerns: the CronJob that it has, or had.
std::vector<Key> keys_of_job(const cluster::View& view, const Value& before, const Value& after) {
  std::vector<Key> keys;
  const auto add = [&](const Value& job) {
    const Value owner = resolve_controller(view, kCronJobs, "CronJob", job);
    if (!owner.is_null()) keys.push_back(key_of(owner));
  };
  if (!after.is_null() && !before.is_null() &&
      model::controller_of(before) != model::controller_of(after))
    add(before);
  add(after.is_null() ? before : after);
  return keys;
}

bool schedule_changed(const Value& before, const Value& after) {
  return !before.is_null() && !after.is_null() &&
         (before["spec"]["schedule"] != after["spec"]["schedule"] ||
          before["spec"]["timeZone"] != after["spec"]["timeZone"]);
}

}  // namespace

std::vector<cluster::Watch> CronJobController::watches() const {
  return {{std::string(kCronJobs),
           [this](const cluster::View&, const Value& before, const Value& after) {
             const Key key = key_of(after.is_null() ? before : after);
             if (schedule_changed(before, after))
               rescheduled_.insert(key);
             else
               delays_.wish(key, {});
             return std::vector<Key>{key};
           }},
          {std::string(kJobs),
           [this](const cluster::View& view, const Value& before, const Value& after) {
             std::vector<Key> keys = keys_of_job(view, before, after);
             for (const Key& key : keys) delays_.wish(key, {});
             return keys;
           }}};
}

cluster::Plan CronJobController::reconcile(const cluster::Sync& sync) {
  const Key& key = sync.key;
  CronJobInputs inputs;
  inputs.cron_job = sync.view.get(kCronJobs, key.namespace_, key.name);
  inputs.now = sync.now;
  if (inputs.cron_job.is_null()) {
    delays_.forget(key);
    rescheduled_.erase(key);
    return {};
  }
  // With a new schedule the next time is waited for; nothing is made up for at once.
  cluster::Plan plan;
  if (rescheduled_.erase(key) > 0) {
    if (const auto next = next_cron_sync(inputs.cron_job, sync.now))
      delays_.add_at(key, *next);
    else
      plan.events.push_back(warning(
          inputs.cron_job, "UnParseableCronJobSchedule",
          "unparseable schedule for cronjob: " + inputs.cron_job["spec"]["schedule"].str()));
  }
  if (!delays_.take(key, sync.now)) {
    plan.wake_at = delays_.due(key);
    return plan;
  }
  for (Value& job : sync.view.list(kJobs, key.namespace_))
    if (model::controller_of(job)["name"].as_string() == key.name)
      inputs.jobs.push_back(std::move(job));
  const auto look_up = [&](const std::string& name) {
    if (Value job = sync.view.get(kJobs, key.namespace_, name); !job.is_null())
      inputs.named[name] = std::move(job);
  };
  for (const Value& active : inputs.cron_job["status"]["active"].elements())
    look_up(active["name"].str());
  if (const auto name = due_job_name(inputs.cron_job, sync.now)) look_up(*name);
  return Script::run([this, inputs = std::move(inputs), key,
                      events = std::move(plan.events)](Script& script) -> Result<void> {
    for (const cluster::EventNote& event : events) script.event(event);
    std::optional<Instant> again;
    const Result<void> end = sync_cron_job(inputs, script, again);
    if (script.waiting()) return end;
    if (end.ok())
      delays_.succeeded(key);
    else
      delays_.failed(key, inputs.now);
    if (again) delays_.add_at(key, *again);
    if (const auto due = delays_.due(key)) script.wake_at(*due);
    return end;  // to be told of; the manager's own retry finds nothing to do yet
  });
}

}  // namespace keelson::control
