// What one sync of a CronJob decides. Pure; see cronjob.h.
#include <algorithm>

#include "control/common/templates.h"
#include "control/cronjob/cronjob.h"
#include "model/cron_schedule.h"
#include "model/meta.h"
#include "model/time_zone.h"

namespace keelson::control {
namespace {

using model::CronSchedule;

constexpr std::string_view kCronJobs = "cronjobs.batch", kJobs = "jobs.batch";
constexpr std::string_view kScheduledKey = "batch.kubernetes.io/cronjob-scheduled-timestamp";
// Starts come late by so much, in case clocks differ a little.
constexpr Duration kPadding = Duration::milliseconds(100);
constexpr std::int64_t kMissedMany = 100;

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

// The schedule with its time zone before it; one in the text itself goes first.
std::string full_schedule(const Value& cron_job) {
  const std::string schedule = cron_job["spec"]["schedule"].str();
  const Value& zone = cron_job["spec"]["timeZone"];
  if (schedule.find("TZ") != std::string::npos || zone.is_null() ||
      !model::TimeZone::find(zone.as_string()))
    return schedule;
  return "TZ=" + zone.str() + " " + schedule;
}

// The last time of the schedule up to now, since the last start.
struct Recent {
  Instant earliest;  // from where times count
  std::optional<Instant> time = {};
  std::int64_t missed = 0;  // how many times have passed, about
  bool sensible = true;     // the schedule has times at all
};

Recent most_recent(const Value& cron_job, Instant now, const CronSchedule& schedule,
                   bool with_deadline) {
  Recent recent{model::creation_time_of(cron_job)};
  if (const Value& last = cron_job["status"]["lastScheduleTime"]; !last.is_null())
    recent.earliest = model::time_of(last);
  const Value& deadline = cron_job["spec"]["startingDeadlineSeconds"];
  if (with_deadline && !deadline.is_null())
    recent.earliest = std::max(recent.earliest, now - Duration::seconds(deadline.as_int()));

  const auto first = schedule.next(recent.earliest);
  if (first && now < *first) return recent;
  const auto second = first ? schedule.next(*first) : std::nullopt;
  if (first && second && now < *second) {
    recent.time = first;
    return recent;
  }
  const std::int64_t between =
      first && second ? (*second - *first + Duration::milliseconds(500)).count_seconds() : 0;
  if (between < 1) {
    recent.sensible = false;
    return recent;
  }
  recent.missed = (now - *first).count_seconds() / between + 1;
  // Near the last one by the distance of the first two; from there the schedule itself is asked.
  const Instant near = *first + Duration::seconds((recent.missed - 2) * between);
  for (auto t = schedule.next(near); t && *t <= now; t = schedule.next(*t)) recent.time = t;
  return recent;
}

Instant next_sync(const Value& cron_job, Instant now, const CronSchedule& schedule) {
  const Recent recent = most_recent(cron_job, now, schedule, false);
  Instant from = now;
  if (recent.time)
    from = *recent.time;
  else if (recent.sensible && recent.missed == 0)
    from = recent.earliest;
  // A schedule without a time is not looked at again by itself.
  const auto next = schedule.next(from);
  return next ? *next + kPadding : Instant::max();
}

std::string job_name(const Value& cron_job, Instant time) {
  return std::string(model::name_of(cron_job)) + "-" + std::to_string(time.unix_seconds() / 60);
}

Value job_for(const Value& cron_job, Instant time) {
  const Value& job_template = cron_job["spec"]["jobTemplate"];
  Value meta = Value::object(
      {{"name", job_name(cron_job, time)}, {"namespace", model::namespace_of(cron_job)}});
  for (const char* key : {"labels", "annotations"})
    if (!job_template["metadata"][key].empty()) meta.set(key, job_template["metadata"][key]);
  const auto zone = model::TimeZone::find(cron_job["spec"]["timeZone"].as_string());
  meta.edit("annotations").set(kScheduledKey, zone.value_or(model::TimeZone()).text(time));
  meta.set("ownerReferences", Value::array({model::controller_reference(cron_job)}));
  return Value::object({{"apiVersion", "batch/v1"},
                        {"kind", "Job"},
                        {"metadata", std::move(meta)},
                        {"spec", job_template["spec"]}});
}

// The type of the condition that ended a Job; empty while it runs.
std::string end_of(const Value& job) {
  for (const Value& condition : job["status"]["conditions"].elements())
    if ((condition["type"].as_string() == "Complete" ||
         condition["type"].as_string() == "Failed") &&
        condition["status"].as_string() == "True")
      return condition["type"].str();
  return {};
}

class CronJobSync {
 public:
  CronJobSync(const CronJobInputs& inputs, Script& script, std::optional<Instant>& again)
      : inputs_(inputs),
        script_(script),
        again_(again),
        cron_job_(inputs.cron_job),
        status_(cron_job_["status"].is_object() ? cron_job_["status"] : Value::object()),
        now_(inputs.now) {}

  Result<void> run() {
    clean_up("Complete", cron_job_["spec"]["successfulJobsHistoryLimit"]);
    clean_up("Failed", cron_job_["spec"]["failedJobsHistoryLimit"]);
    look_at_jobs();
    std::optional<Instant> next;
    const Result<void> started = start(next);
    if (changed_) {
      if (status_["active"].empty()) status_.erase("active");
      Value updated = cron_job_;
      updated.set("status", status_);
      TRY(updated, script_.write(update(kCronJobs, updated, "status")));
    }
    if (next) {
      again_ = next;
      return {};
    }
    return started;
  }

 private:
  void event(std::string reason, std::string message) {
    script_.event(normal(cron_job_, std::move(reason), std::move(message)));
  }
  void complain(std::string reason, std::string message) {
    script_.event(warning(cron_job_, std::move(reason), std::move(message)));
  }
  bool is_active(std::string_view key, std::string_view value) const {
    const codec::Array& all = status_["active"].elements();
    return std::any_of(all.begin(), all.end(),
                       [&](const Value& one) { return one[key].as_string() == value; });
  }
  void forget(std::string_view uid) {
    Value left = Value::array();
    for (const Value& one : status_["active"].elements())
      if (one["uid"].as_string() != uid) left.push_back(one);
    status_.set("active", std::move(left));
  }

  bool delete_job(const Value& job) {
    cluster::Write write = remove(kJobs, job);
    write.propagation = "Background";
    const Result<Value> result = script_.write(std::move(write));
    if (!result.ok()) {
      complain("FailedDelete", "Deleted job: " + result.error().message);
      return false;
    }
    forget(model::uid_of(job));
    event("SuccessfulDelete", "Deleted job " + std::string(model::name_of(job)));
    changed_ = true;
    return true;
  }

  // The oldest of those that ended this way go, down to the limit.
  void clean_up(std::string_view ended, const Value& limit) {
    if (limit.is_null()) return;
    std::vector<Value> jobs;
    for (const Value& job : inputs_.jobs)
      if (end_of(job) == ended) jobs.push_back(job);
    std::sort(jobs.begin(), jobs.end(), [](const Value& a, const Value& b) {
      const Instant ta = model::time_of(a["status"]["startTime"]),
                    tb = model::time_of(b["status"]["startTime"]);
      if (ta.is_zero() != tb.is_zero()) return tb.is_zero();
      return ta != tb ? ta < tb : model::name_of(a) < model::name_of(b);
    });
    for (std::int64_t i = 0; i < std::ssize(jobs) - limit.as_int(); ++i)
      (void)delete_job(jobs[static_cast<std::size_t>(i)]);
  }

  void look_at_jobs() {
    std::vector<std::string_view> uids;
    for (const Value& job : inputs_.jobs) {
      const std::string_view uid = model::uid_of(job);
      uids.push_back(uid);
      const bool active = is_active("uid", uid);
      const std::string end = end_of(job), name(model::name_of(job));
      if (end.empty()) {
        if (!active)
          complain("UnexpectedJob",
                   "Saw a job that the controller did not create or forgot: " + name);
        continue;
      }
      if (active) {
        forget(uid);
        event("SawCompletedJob", "Saw completed job: " + name + ", condition: " + end);
        changed_ = true;
      }
      const Value& completed = job["status"]["completionTime"];
      const Value& last = status_["lastSuccessfulTime"];
      if (end == "Complete" && !completed.is_null() &&
          (last.is_null() || model::time_of(completed) > model::time_of(last))) {
        status_.set("lastSuccessfulTime", completed);
        changed_ = true;
      }
    }
    const Value all = status_["active"];
    for (const Value& one : all.elements()) {
      const bool known = std::find(uids.begin(), uids.end(), one["uid"].as_string()) != uids.end();
      if (known || inputs_.named.contains(one["name"].str())) continue;
      event("MissingJob", "Active job went missing: " + one["name"].str());
      forget(one["uid"].as_string());
      changed_ = true;
    }
  }

  // Starts the Job that is due. `next` is when to look again; without one, only a change will.
  Result<void> start(std::optional<Instant>& next) {
    const Value& spec = cron_job_["spec"];
    if (model::is_deleting(cron_job_)) return {};
    if (const Value& zone = spec["timeZone"];
        !zone.is_null() && !model::TimeZone::find(zone.as_string())) {
      complain("UnknownTimeZone", "invalid timeZone: " + quoted(zone.as_string()) +
                                      ": unknown time zone " + zone.str());
      return {};
    }
    if (spec["suspend"].as_bool()) return {};
    const std::string schedule_text = spec["schedule"].str();
    if (schedule_text.find("TZ") != std::string::npos)
      complain("UnsupportedSchedule",
               "CRON_TZ or TZ used in schedule " + quoted(schedule_text) +
                   " is not officially supported, see "
                   "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more "
                   "details");
    const auto schedule = CronSchedule::parse(full_schedule(cron_job_));
    if (!schedule.ok()) {
      complain("UnparseableSchedule",
               "unparseable schedule: " + quoted(schedule_text) + " : " + schedule.error().message);
      return {};
    }
    const Recent recent = most_recent(cron_job_as_is(), now_, *schedule, true);
    if (!recent.sensible) {
      complain("InvalidSchedule",
               "invalid schedule: " + schedule_text +
                   " : time difference between two schedules is less than 1 second");
      return {};
    }
    const auto later = [&] { return next_sync(cron_job_as_is(), now_, *schedule); };
    if (recent.time && recent.missed > kMissedMany)
      complain("TooManyMissedTimes",
               "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or "
               "check clock skew");
    if (!recent.time || !may_start(*recent.time)) {
      next = later();
      return {};
    }
    if (spec["concurrencyPolicy"].as_string() == "Replace") TRY_VOID(replace_active());
    TRY(const bool made, make_job(*recent.time));
    if (made) next = later();
    return {};
  }

  // Whether the Job of this time is to be made: in time, not made yet, and not beside another.
  bool may_start(Instant time) {
    const Value& spec = cron_job_["spec"];
    const Value& deadline = spec["startingDeadlineSeconds"];
    if (!deadline.is_null() && time + Duration::seconds(deadline.as_int()) < now_) {
      complain("MissSchedule", "Missed scheduled time to start a job: " + rfc1123(time));
      return false;
    }
    if (is_active("name", job_name(cron_job_, time)) ||
        model::time_of(status_["lastScheduleTime"]) == time)
      return false;
    if (spec["concurrencyPolicy"].as_string() == "Forbid" && !status_["active"].empty()) {
      event("JobAlreadyActive",
            "Not starting job because prior execution is running and concurrency policy is "
            "Forbid");
      return false;
    }
    return true;
  }

  Result<void> replace_active() {
    const Value all = status_["active"];
    for (const Value& one : all.elements()) {
      const auto job = inputs_.named.find(one["name"].str());
      if (job == inputs_.named.end()) {
        const std::string why = "jobs.batch " + quoted(one["name"].as_string()) + " not found";
        complain("FailedGet", "Get job: " + why);
        return Error{Reason::not_found, why};
      }
      if (!delete_job(job->second))
        return Error{Reason::internal_error,
                     "could not replace job " + one["namespace"].str() + "/" + one["name"].str()};
    }
    return {};
  }

  // False: somebody else made it and keeps count of it.
  Result<bool> make_job(Instant time) {
    Result<Value> made = script_.write(create(kJobs, job_for(cron_job_, time)));
    Value job;
    if (made.ok()) {
      job = *made;
      event("SuccessfulCreate", "Created job " + std::string(model::name_of(job)));
    } else if (made.error().reason == Reason::already_exists) {
      // Made before a crash, perhaps: then only the status was not told.
      const auto found = inputs_.named.find(job_name(cron_job_, time));
      if (found == inputs_.named.end()) return made.error();
      job = found->second;
      if (!model::is_controlled_by(job, model::uid_of(cron_job_)) ||
          is_active("uid", model::uid_of(job)))
        return false;
    } else {
      if (!namespace_is_terminating(made.error()))
        complain("FailedCreate", "Error creating job: " + made.error().message);
      return made.error();
    }
    status_.edit("active").push_back(model::object_reference(job));
    status_.set("lastScheduleTime", to_rfc3339(time));
    changed_ = true;
    return true;
  }

  // With the status as it is by now.
  Value cron_job_as_is() const {
    Value current = cron_job_;
    current.set("status", status_);
    return current;
  }

  // "Mon, 02 Jan 2006 15:04:05 UTC".
  static std::string rfc1123(Instant time) {
    constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const model::CivilTime civil = model::TimeZone().civil(time);
    const std::string text = to_rfc3339(time);  // "2006-01-02T15:04:05Z"
    return std::string(kDays[civil.weekday()]) + ", " + text.substr(8, 2) + " " +
           kMonths[civil.month - 1] + " " + text.substr(0, 4) + " " + text.substr(11, 8) + " UTC";
  }

  const CronJobInputs& inputs_;
  Script& script_;
  std::optional<Instant>& again_;
  const Value cron_job_;
  Value status_;
  const Instant now_;
  bool changed_ = false;
};

}  // namespace

Result<void> sync_cron_job(const CronJobInputs& inputs, Script& script,
                           std::optional<Instant>& again) {
  return CronJobSync(inputs, script, again).run();
}

std::optional<Instant> next_cron_sync(const Value& cron_job, Instant now) {
  const auto schedule = CronSchedule::parse(full_schedule(cron_job));
  if (!schedule.ok()) return std::nullopt;
  return next_sync(cron_job, now, *schedule);
}

std::optional<std::string> due_job_name(const Value& cron_job, Instant now) {
  const auto schedule = CronSchedule::parse(full_schedule(cron_job));
  if (!schedule.ok()) return std::nullopt;
  const Recent recent = most_recent(cron_job, now, *schedule, true);
  if (!recent.time) return std::nullopt;
  return job_name(cron_job, *recent.time);
}

}  // namespace keelson::control
