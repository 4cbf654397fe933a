// What becomes of a Job: counts, then the judgement (failed, succeeded, suspended, to be carried
// on), then what follows from it. The order of the questions matters: more than one may be true.
#include <algorithm>

#include "control/common/templates.h"
#include "control/job/job_sync.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {

Result<void> sync_job(const JobInputs& inputs, Script& script, JobOutcome& outcome) {
  return jobs::JobSync(inputs, script, outcome).run();
}

namespace jobs {

Value JobSync::condition(const char* type, const std::string& reason,
                         const std::string& message) const {
  const std::string now = to_rfc3339(now_);
  Value made = Value::object(
      {{"type", type}, {"status", "True"}, {"lastProbeTime", now}, {"lastTransitionTime", now}});
  if (!reason.empty()) made.set("reason", reason);
  if (!message.empty()) made.set("message", message);
  return made;
}

// A condition that is not there is not made only to say "False". True if something changed.
bool JobSync::ensure_condition(const char* type, const char* status, const char* reason,
                               const char* message) {
  Value wanted = condition(type, reason, message);
  wanted.set("status", status);
  const Value conditions = status_["conditions"];
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const Value& one = conditions[i];
    if (one["type"].as_string() != type) continue;
    if (one["status"] == wanted["status"] && one["reason"] == wanted["reason"] &&
        one["message"] == wanted["message"])
      return false;
    status_.edit("conditions").edit(i) = std::move(wanted);
    return true;
  }
  if (std::string_view(status) == "False") return false;
  status_.edit("conditions").push_back(std::move(wanted));
  return true;
}

const Value* JobSync::true_condition(const char* type) const {
  for (const Value& one : status_["conditions"].elements())
    if (one["type"].as_string() == type && one["status"].as_string() == "True") return &one;
  return nullptr;
}

std::optional<std::int64_t> JobSync::valid_index(const Value& pod) const {
  const auto index = index_of(pod);
  return index && *index < completions() ? index : std::nullopt;
}

// Nothing in the status tells of this pod yet, and it can be told of.
bool JobSync::is_uncounted_yet(const Value& pod) const {
  return has_finalizer(pod) && !inputs_.released.contains(model::uid_of(pod)) &&
         (!is_indexed(job_) || valid_index(pod));
}

void JobSync::count() {
  active_pods_ = filter(pods_, pod_is_active);
  active_ = std::ssize(active_pods_);
  ready_ = std::count_if(active_pods_.begin(), active_pods_.end(), model::pod_is_ready);
  terminating_ = std::count_if(pods_.begin(), pods_.end(), pod_is_terminating);
  if (!status_["uncountedTerminatedPods"].is_object())
    status_.set("uncountedTerminatedPods", Value::object());
  const Value uncounted = status_["uncountedTerminatedPods"];
  for (const Value& uid : uncounted["succeeded"].elements()) uncounted_succeeded_.insert(uid.str());
  for (const Value& uid : uncounted["failed"].elements()) uncounted_failed_.insert(uid.str());

  Pods succeeded, failed;
  std::int64_t failed_counting = 0;
  for (const Value& pod : pods_) {
    if (!is_uncounted_yet(pod)) continue;
    if (pod["status"]["phase"].as_string() == "Succeeded" &&
        !uncounted_succeeded_.contains(model::uid_of(pod)))
      succeeded.push_back(pod);
    if (is_failed(job_, pod) && !uncounted_failed_.contains(model::uid_of(pod))) {
      failed.push_back(pod);
      if (match_failure(job_, pod).counts) ++failed_counting;
    }
  }
  succeeded_ = status_["succeeded"].as_int() + std::ssize(succeeded) +
               static_cast<std::int64_t>(uncounted_succeeded_.size());
  failed_ = status_["failed"].as_int() + failed_counting +
            static_cast<std::int64_t>(uncounted_failed_.size());
  start_ = model::time_of(status_["startTime"]);
  if (status_["startTime"].is_null() && !is_suspended(job_)) {
    start_ = now_;
    status_.set("startTime", to_rfc3339(now_));
  }
  backoff_ = backoff_after(inputs_.backoff, succeeded, failed);
}

// Restarts within pods count where pods restart by themselves.
bool JobSync::restarts_exceed_limit() const {
  if (spec()["template"]["spec"]["restartPolicy"].as_string() != "OnFailure") return false;
  std::int64_t restarts = 0;
  for (const Value& pod : pods_) {
    const std::string_view phase = pod["status"]["phase"].as_string();
    if (phase != "Running" && phase != "Pending") continue;
    for (const char* list : {"initContainerStatuses", "containerStatuses"})
      for (const Value& status : pod["status"][list].elements())
        restarts += status["restartCount"].as_int();
  }
  const std::int64_t limit = spec()["backoffLimit"].as_int(6);
  return limit == 0 ? restarts > 0 : restarts >= limit;
}

void JobSync::judge_limits() {
  const Value& deadline = spec()["activeDeadlineSeconds"];
  const bool timed = !deadline.is_null() && !start_.is_zero() && !is_suspended(job_);
  const Instant end = start_ + Duration::seconds(timed ? deadline.as_int() : 0);
  if (failed_ > spec()["backoffLimit"].as_int(6) || restarts_exceed_limit())
    finished_ = condition("FailureTarget", "BackoffLimitExceeded",
                          "Job has reached the specified backoff limit");
  else if (timed && now_ >= end)
    finished_ = condition("FailureTarget", "DeadlineExceeded",
                          "Job was active longer than specified deadline");
  else if (timed)
    outcome_.again.push_back(end);
}

void JobSync::judge_indexes() {
  std::set<std::int64_t> succeeded;
  for (const Value& pod : pods_)
    if (pod["status"]["phase"].as_string() == "Succeeded" && has_finalizer(pod))
      if (const auto index = valid_index(pod)) succeeded.insert(*index);
  succeeded_before_ = Indexes::parse(status_["completedIndexes"].as_string(), completions());
  succeeded_indexes_ = succeeded_before_.merged(Indexes::of(succeeded));
  succeeded_ = succeeded_indexes_.total();
  if (has_limit_per_index(job_)) {
    std::set<std::int64_t> failed;
    for (const Value& pod : pods_) {
      const auto index = valid_index(pod);
      if (!index || !has_finalizer(pod) || !is_failed(job_, pod)) continue;
      const FailureMatch match = match_failure(job_, pod);
      if (match.action == "FailIndex" ||
          (match.counts && index_failures(pod) >= spec()["backoffLimitPerIndex"].as_int()))
        failed.insert(*index);
    }
    failed_indexes_ = Indexes::parse(status_["failedIndexes"].as_string(), completions())
                          .merged(Indexes::of(failed));
    const std::int64_t lost = failed_indexes_->total();
    const Value& most = spec()["maxFailedIndexes"];
    if (!finished_ && !most.is_null() && lost > most.as_int())
      finished_ = condition("FailureTarget", "MaxFailedIndexesExceeded",
                            "Job has exceeded the specified maximal number of failed indexes");
    else if (!finished_ && lost > 0 && lost + succeeded_indexes_.total() >= completions())
      finished_ = condition("FailureTarget", "FailedIndexes", "Job has failed indexes");
    find_delayed();
  }
  if (finished_ || succeeded_indexes_.empty()) return;
  const codec::Array& rules = spec()["successPolicy"]["rules"].elements();
  for (std::size_t i = 0; i < rules.size() && !finished_; ++i) {
    const Value &which = rules[i]["succeededIndexes"], &many = rules[i]["succeededCount"];
    bool met = false;
    if (!which.is_null()) {
      const Indexes wanted = Indexes::parse(which.as_string(), completions());
      const std::int64_t found = wanted.in_common(succeeded_indexes_);
      met = !wanted.empty() &&
            (found == wanted.total() || (!many.is_null() && found >= many.as_int()));
    } else {
      met = !many.is_null() && succeeded_indexes_.total() >= many.as_int();
    }
    if (met)
      finished_ = condition("SuccessCriteriaMet", "SuccessPolicy",
                            "Matched rules at index " + std::to_string(i));
  }
}

// Earlier judgements stand; then come failures, then successes.
void JobSync::judge() {
  if (const Value* met = true_condition("SuccessCriteriaMet")) {
    finished_ = *met;
  } else if (const Value* target = true_condition("FailureTarget")) {
    finished_ = condition("Failed", (*target)["reason"].str(), (*target)["message"].str());
  } else if (!spec()["podFailurePolicy"].is_null()) {
    for (const Value& pod : pods_) {
      if (!is_failed(job_, pod)) continue;
      const std::string message = match_failure(job_, pod).job_failure;
      if (message.empty()) continue;
      finished_ = condition("FailureTarget", "PodFailurePolicy", message);
      break;
    }
  }
  if (!finished_) judge_limits();
  if (is_indexed(job_)) judge_indexes();
}

bool JobSync::is_complete() const {
  if (active_ != 0) return false;
  // A work queue is done when its last pod is, after one has said so by succeeding.
  return spec()["completions"].is_null() ? succeeded_ > 0 : succeeded_ >= completions();
}

void JobSync::note_suspension() {
  if (is_suspended(job_)) {
    if (!ensure_condition("Suspended", "True", "JobSuspended", "Job suspended")) return;
    script_.event(normal(job_, "Suspended", "Job suspended"));
    status_.erase("startTime");
  } else {
    if (!ensure_condition("Suspended", "False", "JobResumed", "Job resumed")) return;
    script_.event(normal(job_, "Resumed", "Job resumed"));
    // The deadline counts from here.
    status_.set("startTime", to_rfc3339(now_));
  }
}

// Deletes what is left of a finished Job, or carries it on. What failed is told after the counting.
std::optional<Error> JobSync::act() {
  if (finished_) {
    const Removed removed = remove_pods(active_pods_, false);
    // Not finished while there may be pods that nobody counted.
    if (removed.pods != active_ || !inputs_.may_manage) finished_.reset();
    subtract(removed);
    return removed.failure;
  }
  const bool managed = inputs_.may_manage && !model::is_deleting(job_);
  std::optional<Error> failure;
  if (managed) failure = manage();
  if (is_complete())
    finished_ = condition("SuccessCriteriaMet", "CompletionsReached",
                          "Reached expected number of succeeded pods");
  else if (managed)
    note_suspension();
  return failure;
}

Result<void> JobSync::run() {
  const auto selector = model::LabelSelector::of(job_["spec"]["selector"]);
  if (!selector.ok())
    return Error{Reason::invalid, "couldn't convert Job selector: " + selector.error().message};
  TRY(pods_, claim(script_, "pods", job_, *selector, inputs_.pods, {}, kFinalizer));
  count();
  judge();
  const Value conditions = status_["conditions"];
  const std::optional<Error> failure = act();
  const Value& before = job_["status"];
  const bool needs_flush = !(conditions == status_["conditions"]) ||
                           active_ != before["active"].as_int() || before["ready"].is_null() ||
                           ready_ != before["ready"].as_int() || before["terminating"].is_null() ||
                           terminating_ != before["terminating"].as_int();
  set_count(status_, "active", active_);
  status_.set("ready", ready_);
  status_.set("terminating", terminating_);
  TRY_VOID(track(needs_flush));
  if (failure) return *failure;
  return {};
}

}  // namespace jobs
}  // namespace keelson::control
