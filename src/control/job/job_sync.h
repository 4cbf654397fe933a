// One sync of a Job in the making: what was counted, what was judged, what was written so far.
// Private to job/: job_plan.cc judges, job_manage.cc makes and deletes pods, job_status.cc counts.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "control/job/indexes.h"
#include "control/job/job.h"

namespace keelson::control::jobs {

inline constexpr std::string_view kJobs = "jobs.batch";

class JobSync {
 public:
  JobSync(const JobInputs& inputs, Script& script, JobOutcome& outcome)
      : inputs_(inputs),
        script_(script),
        outcome_(outcome),
        job_(inputs.job),
        status_(inputs.job["status"].is_object() ? inputs.job["status"] : Value::object()),
        now_(inputs.now) {}
  Result<void> run();

 private:
  struct Removed {
    std::int64_t pods = 0, ready = 0;
    std::optional<Error> failure = {};
  };

  // job_plan.cc
  void count();
  void judge();
  void judge_limits();
  void judge_indexes();
  std::optional<Error> act();
  void note_suspension();
  bool is_complete() const;
  bool restarts_exceed_limit() const;
  Value condition(const char* type, const std::string& reason, const std::string& message) const;
  bool ensure_condition(const char* type, const char* status, const char* reason,
                        const char* message);
  const Value* true_condition(const char* type) const;
  const Value& spec() const { return job_["spec"]; }
  std::int64_t completions() const { return spec()["completions"].as_int(); }
  std::optional<std::int64_t> valid_index(const Value& pod) const;
  bool is_uncounted_yet(const Value& pod) const;

  // job_manage.cc
  std::optional<Error> manage();
  std::optional<Error> create_pods(std::int64_t wanted);
  Value pod_of(std::optional<std::int64_t> index) const;
  Removed remove_pods(const Pods& pods, bool without_finalizer);
  void subtract(const Removed& removed);
  Pods choose_for_removal(std::int64_t at_least) const;
  std::vector<std::int64_t> pending_indexes(std::int64_t count) const;
  void find_delayed();
  void again_after(Duration delay);

  // job_status.cc
  Result<void> track(bool needs_flush);
  bool may_release(const Value& pod, bool failed) const;
  bool count_pod(const Value& pod, bool failed, std::set<std::int64_t>& succeeded_indexes);
  bool settle_uncounted();
  bool write_indexes(const std::set<std::int64_t>& newly_succeeded);
  bool finish();
  Result<void> flush(const char* purpose);
  Result<void> release(const Pods& pods);
  std::int64_t uncounted_total() const;

  const JobInputs& inputs_;
  Script& script_;
  JobOutcome& outcome_;
  Value job_, status_;  // status_ is written with the next flush
  const Instant now_;
  Instant start_;  // exact, where this sync sets it

  Pods pods_, active_pods_;
  std::int64_t active_ = 0, ready_ = 0, terminating_ = 0, succeeded_ = 0, failed_ = 0;
  std::set<std::string, std::less<>> uncounted_succeeded_, uncounted_failed_;  // as of the start
  std::set<std::string, std::less<>> with_finalizer_;
  Backoff backoff_;
  Indexes succeeded_before_, succeeded_indexes_;
  std::optional<Indexes> failed_indexes_;
  // Pods as this sync has left them, by uid: still there for their finalizers. They are judged by
  // what they were, and patched as what they are.
  std::map<std::string, Value, std::less<>> latest_;
  // The failed pod of each index whose replacement is still to come: it keeps its finalizer until
  // then, because the replacement carries on its count of failures.
  std::map<std::int64_t, Value> delayed_;
  std::optional<Value> finished_;  // the condition that ends the Job, interim or final
};

}  // namespace keelson::control::jobs
