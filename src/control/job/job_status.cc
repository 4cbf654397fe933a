// The counting of a Job's pods, in an order that loses none whenever the engine stops: first their
// uids stand in the status, then their finalizers go, then the counters rise and the uids go. With
// the last one the Job is finished.
#include <algorithm>

#include "control/common/templates.h"
#include "control/job/job_sync.h"
#include "model/meta.h"

namespace keelson::control::jobs {
namespace {

// So many pods are counted in one sync: their uids must fit the status.
constexpr std::int64_t kUncountedMax = 500;

bool is(const std::optional<Value>& condition, const char* type) {
  return condition && (*condition)["type"].as_string() == type;
}

}  // namespace

std::int64_t JobSync::uncounted_total() const {
  const Value& uncounted = status_["uncountedTerminatedPods"];
  return static_cast<std::int64_t>(uncounted["succeeded"].size() + uncounted["failed"].size());
}

// Pods that were told of and have no finalizer any more are counted. True if there were any.
bool JobSync::settle_uncounted() {
  bool changed = false;
  Value uncounted = status_["uncountedTerminatedPods"];
  if (!uncounted.is_object()) uncounted = Value::object();
  for (const char* kind : {"succeeded", "failed"}) {
    Value left = Value::array();
    for (const Value& uid : uncounted[kind].elements())
      if (with_finalizer_.contains(uid.as_string())) left.push_back(uid);
    const std::int64_t counted = static_cast<std::int64_t>(uncounted[kind].size() - left.size());
    if (counted == 0) continue;
    changed = true;
    set_count(status_, kind, status_[kind].as_int() + counted);
    if (left.empty())
      uncounted.erase(kind);
    else
      uncounted.set(kind, std::move(left));
  }
  status_.set("uncountedTerminatedPods", std::move(uncounted));
  return changed;
}

bool JobSync::may_release(const Value& pod, bool failed) const {
  if (model::is_deleting(job_) || finished_ || pod["status"]["phase"].as_string() == "Succeeded")
    return true;
  if (!failed) return false;
  if (has_limit_per_index(job_))
    if (const auto index = index_of(pod))
      if (const auto at = delayed_.find(*index);
          at != delayed_.end() && model::uid_of(at->second) == model::uid_of(pod))
        return false;
  return true;
}

// Tells of one pod in the status. True if that changed it.
bool JobSync::count_pod(const Value& pod, bool failed, std::set<std::int64_t>& succeeded_indexes) {
  const std::string uid(model::uid_of(pod));
  if (pod["status"]["phase"].as_string() == "Succeeded" && !uncounted_failed_.contains(uid)) {
    if (is_indexed(job_)) {
      // The index is enough to know it by.
      const auto index = valid_index(pod);
      if (!index || succeeded_before_.has(*index)) return false;
      succeeded_indexes.insert(*index);
      return true;
    }
    if (uncounted_succeeded_.contains(uid)) return false;
    status_.edit("uncountedTerminatedPods").edit("succeeded").push_back(uid);
    return true;
  }
  // In a Job that failed every pod that did not end has failed.
  if (!failed && (!finished_ || is(finished_, "SuccessCriteriaMet"))) return false;
  if (uncounted_failed_.contains(uid) || (is_indexed(job_) && !valid_index(pod)) ||
      !match_failure(job_, pod).counts)
    return false;
  status_.edit("uncountedTerminatedPods").edit("failed").push_back(uid);
  return true;
}

bool JobSync::write_indexes(const std::set<std::int64_t>& newly_succeeded) {
  bool changed = false;
  succeeded_indexes_ = succeeded_indexes_.merged(Indexes::of(newly_succeeded));
  const std::string text = succeeded_indexes_.text();
  changed = text != status_["completedIndexes"].as_string();
  set_count(status_, "succeeded", succeeded_indexes_.total());
  if (text.empty())
    status_.erase("completedIndexes");
  else
    status_.set("completedIndexes", text);
  if (failed_indexes_) {
    const Value failed(failed_indexes_->text());
    changed = changed || !(status_["failedIndexes"] == failed);
    status_.set("failedIndexes", failed);
  } else if (!status_["failedIndexes"].is_null()) {
    status_.erase("failedIndexes");
    changed = true;
  }
  return changed;
}

Result<void> JobSync::flush(const char* purpose) {
  job_.set("status", status_);
  Result<Value> written = script_.write(update(kJobs, job_, "status"));
  if (!written.ok())
    return Error{written.error().reason,
                 std::string("tracking status: ") + purpose + ": " + written.error().message};
  job_ = std::move(*written);
  status_ = job_["status"];
  return {};
}

Result<void> JobSync::release(const Pods& pods) {
  std::vector<cluster::Write> writes;
  for (const Value& pod : pods) {
    const auto changed = latest_.find(model::uid_of(pod));
    writes.push_back(
        finalizer_removal("pods", changed == latest_.end() ? pod : changed->second, kFinalizer));
  }
  const std::vector<Result<Value>> results = script_.write(writes);
  std::optional<Error> failure;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::string uid(model::uid_of(pods[i]));
    if (results[i].ok() || results[i].error().reason == Reason::not_found) {
      with_finalizer_.erase(uid);
      outcome_.released.push_back(uid);
    } else if (!failure) {
      failure = results[i].error();
    }
  }
  if (failure) return *failure;
  return {};
}

// The final condition, once every pod is counted and gone. True if the Job is finished now.
bool JobSync::finish() {
  if (!finished_ || uncounted_total() > 0 || terminating_ > 0) return false;
  const Value& wanted = *finished_;
  const std::string type = wanted["type"].str();
  ensure_condition(type.c_str(), "True", wanted["reason"].str().c_str(),
                   wanted["message"].str().c_str());
  if (type == "Complete") status_.set("completionTime", wanted["lastTransitionTime"]);
  return true;
}

Result<void> JobSync::track(bool needs_flush) {
  if (is_indexed(job_))
    std::stable_sort(pods_.begin(), pods_.end(), [](const Value& a, const Value& b) {
      return index_of(a).value_or(-1) < index_of(b).value_or(-1);
    });
  for (const Value& pod : pods_)
    if (has_finalizer(pod) && !inputs_.released.contains(model::uid_of(pod)))
      with_finalizer_.emplace(model::uid_of(pod));
  needs_flush = settle_uncounted() || needs_flush;

  Pods to_release;
  std::set<std::int64_t> newly_succeeded;
  bool too_many = false;
  for (const Value& pod : pods_) {
    if (!with_finalizer_.contains(model::uid_of(pod))) continue;
    const bool failed = is_failed(job_, pod);
    if (!may_release(pod, failed)) continue;
    to_release.push_back(pod);
    needs_flush = count_pod(pod, failed, newly_succeeded) || needs_flush;
    too_many = std::ssize(newly_succeeded) + uncounted_total() >= kUncountedMax;
    if (too_many) break;
  }
  if (is_indexed(job_)) needs_flush = write_indexes(newly_succeeded) || needs_flush;

  // The interim condition is written before any finalizer goes, the final one after.
  if (is(finished_, "FailureTarget")) {
    status_.edit("conditions").push_back(*finished_);
    needs_flush = true;
    finished_ = condition("Failed", (*finished_)["reason"].str(), (*finished_)["message"].str());
  } else if (is(finished_, "SuccessCriteriaMet")) {
    if (true_condition("SuccessCriteriaMet") == nullptr) {
      status_.edit("conditions").push_back(*finished_);
      needs_flush = true;
    }
    finished_ = condition("Complete", (*finished_)["reason"].str(), (*finished_)["message"].str());
  }
  if (needs_flush) {
    TRY_VOID(flush("adding uncounted pods to status"));
    outcome_.backoff = backoff_;
  }
  const Result<void> released = release(to_release);
  needs_flush = settle_uncounted();
  if (!released.ok()) {
    if (needs_flush) TRY_VOID(flush("removing uncounted pods from status"));
    return released;
  }
  const bool finished = !too_many && finish();
  if (!finished && !needs_flush) return {};
  TRY_VOID(flush("removing uncounted pods from status"));
  if (!finished) return {};
  if (is(finished_, "Complete")) {
    if (!spec()["completions"].is_null() && status_["succeeded"].as_int() > completions())
      script_.event(warning(job_, "TooManySucceededPods",
                            "Too many succeeded pods running after completion count reached"));
    script_.event(normal(job_, "Completed", "Job completed"));
  } else {
    script_.event(warning(job_, (*finished_)["reason"].str(), (*finished_)["message"].str()));
  }
  return {};
}

}  // namespace keelson::control::jobs
