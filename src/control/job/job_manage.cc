// The pods of a Job that goes on: as many active ones as it wants, none while it waits to try again
// or is suspended. In one sync pods are either made or deleted.
#include <algorithm>

#include "control/common/templates.h"
#include "control/job/job_sync.h"
#include "model/meta.h"

namespace keelson::control::jobs {
namespace {

// At most so many pods are made or deleted in one sync.
constexpr std::int64_t kBurst = 500;
constexpr Duration kBatchPeriod = Duration::seconds(1);
constexpr std::size_t kGeneratedNameMax = 58;
constexpr std::string_view kIndexVariable = "JOB_COMPLETION_INDEX";

void add_index_variable(Value& container) {
  for (const Value& variable : container["env"].elements())
    if (variable["name"].as_string() == kIndexVariable) return;
  const std::string path = "metadata.labels['" + std::string(kIndexKey) + "']";
  const Value field = Value::object({{"fieldPath", path}});
  container.edit("env").push_back(Value::object(
      {{"name", kIndexVariable}, {"valueFrom", Value::object({{"fieldRef", field}})}}));
}

std::string generate_name(std::string_view job, std::int64_t index) {
  const std::string suffix = "-" + std::to_string(index) + "-";
  if (job.size() + suffix.size() <= kGeneratedNameMax) return std::string(job) + suffix;
  return std::string(job.substr(0, kGeneratedNameMax - suffix.size())) + suffix;
}

}  // namespace

void JobSync::again_after(Duration delay) {
  outcome_.again.push_back(now_ + std::max(delay, kBatchPeriod));
}

void JobSync::find_delayed() {
  const std::set<std::int64_t> active = indexes_of(active_pods_);
  for (const Value& pod : pods_) {
    if (!is_uncounted_yet(pod) || !is_failed(job_, pod)) continue;
    const std::int64_t index = *valid_index(pod);
    if (succeeded_indexes_.has(index) || failed_indexes_->has(index) || active.contains(index))
      continue;
    const auto [at, fresh] = delayed_.try_emplace(index, pod);
    if (!fresh && index_failures_all(at->second) <= index_failures_all(pod) &&
        finished_at(pod) >= finished_at(at->second))
      at->second = pod;
  }
}

// Deletes pods; one that is gone already counts as deleted. With `without_finalizer` nobody will
// count them, so nothing holds them back.
JobSync::Removed JobSync::remove_pods(const Pods& pods, bool without_finalizer) {
  Removed removed{std::ssize(pods)};
  const auto fail = [&](const Error& error, const std::string& message) {
    if (error.reason == Reason::not_found) return;
    --removed.pods;
    if (!removed.failure) removed.failure = Error{error.reason, message};
  };
  Pods left;
  if (without_finalizer) {
    std::vector<cluster::Write> writes;
    for (const Value& pod : pods)
      if (has_finalizer(pod)) writes.push_back(finalizer_removal("pods", pod, kFinalizer));
    const std::vector<Result<Value>> results = script_.write(writes);
    std::size_t next = 0;
    for (const Value& pod : pods) {
      if (!has_finalizer(pod) || results[next++].ok())
        left.push_back(pod);
      else
        fail(results[next - 1].error(),
             "removing completion finalizer: " + results[next - 1].error().message);
    }
  } else {
    left = pods;
  }
  std::vector<cluster::Write> writes;
  for (const Value& pod : left) writes.push_back(remove("pods", pod));
  const std::vector<Result<Value>> results = script_.write(writes);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (model::pod_is_ready(left[i])) ++removed.ready;
    if (results[i].ok()) {
      outcome_.deleted.push_back(left[i]);
      if (model::uid_of(*results[i]) == model::uid_of(left[i]))
        latest_[std::string(model::uid_of(left[i]))] = *results[i];
      script_.event(
          normal(job_, "SuccessfulDelete", "Deleted pod: " + std::string(model::name_of(left[i]))));
      continue;
    }
    const Error& error = results[i].error();
    if (error.reason != Reason::not_found)
      script_.event(warning(job_, "FailedDelete", "Error deleting: " + error.message));
    fail(error, "unable to delete pods: " + error.message);
  }
  return removed;
}

void JobSync::subtract(const Removed& removed) {
  active_ -= removed.pods;
  terminating_ += removed.pods;
  ready_ -= removed.ready;
}

// First those of an index that more than one works on, or that is none; then as many as are too
// many, the least valuable first.
Pods JobSync::choose_for_removal(std::int64_t at_least) const {
  Pods chosen, left;
  if (is_indexed(job_)) {
    std::map<std::int64_t, Pods> by_index;
    for (const Value& pod : active_pods_) {
      if (const auto index = valid_index(pod))
        by_index[*index].push_back(pod);
      else
        chosen.push_back(pod);
    }
    for (auto& [index, same] : by_index) {
      if (same.size() > 1) rank_plainly(same);
      chosen.insert(chosen.end(), same.begin(), same.end() - 1);
      left.push_back(same.back());
    }
  } else {
    left = active_pods_;
  }
  if (std::ssize(chosen) < at_least) {
    rank_plainly(left);
    const std::int64_t more = std::min(at_least - std::ssize(chosen), std::ssize(left));
    chosen.insert(chosen.end(), left.begin(), left.begin() + more);
  }
  return chosen;
}

// The lowest indexes that nobody works on and that are neither done nor given up.
std::vector<std::int64_t> JobSync::pending_indexes(std::int64_t count) const {
  Indexes taken = succeeded_indexes_.merged(Indexes::of(indexes_of(active_pods_)));
  if (replaces_only_failed(job_))
    taken = taken.merged(Indexes::of(indexes_of(filter(pods_, pod_is_terminating))));
  if (failed_indexes_) taken = taken.merged(*failed_indexes_);
  std::vector<std::int64_t> pending;
  std::int64_t candidate = 0;
  const auto take_until = [&](std::int64_t end) {
    for (; candidate < std::min(end, completions()) && std::ssize(pending) < count; ++candidate)
      pending.push_back(candidate);
  };
  for (const Indexes::Interval& interval : taken.intervals()) {
    take_until(interval.first);
    candidate = std::max(candidate, interval.last + 1);
  }
  take_until(completions());
  return pending;
}

Value JobSync::pod_of(std::optional<std::int64_t> index) const {
  Value pod_template = spec()["template"];
  Value& meta = pod_template.edit("metadata");
  Value finalizers = meta["finalizers"].is_array() ? meta["finalizers"] : Value::array();
  const Value as_pod = Value::object({{"metadata", meta}});
  if (!has_finalizer(as_pod)) finalizers.push_back(kFinalizer);
  meta.set("finalizers", finalizers);
  if (!index) return pod_from_template(pod_template, job_);

  const std::string number = std::to_string(*index);
  for (const char* list : {"initContainers", "containers"})
    if (!pod_template["spec"][list].empty())
      for (Value& container : pod_template.edit("spec").edit(list).edit_elements())
        add_index_variable(container);
  Value& marked = pod_template.edit("metadata");
  marked.edit("annotations").set(kIndexKey, number);
  marked.edit("labels").set(kIndexKey, number);
  pod_template.edit("spec").set("hostname", std::string(model::name_of(job_)) + "-" + number);
  if (has_limit_per_index(job_)) {
    std::int64_t failures = 0, ignored = 0;
    if (const auto at = delayed_.find(*index); at != delayed_.end()) {
      failures = index_failures(at->second);
      ignored = index_failures_all(at->second) - failures;
      ++(match_failure(job_, at->second).counts ? failures : ignored);
    }
    Value& annotations = marked.edit("annotations");
    annotations.set(kFailuresKey, std::to_string(failures));
    if (ignored > 0) annotations.set(kIgnoredKey, std::to_string(ignored));
  }
  Value pod = pod_from_template(pod_template, job_);
  pod.edit("metadata").set("generateName", generate_name(model::name_of(job_), *index));
  return pod;
}

std::optional<Error> JobSync::create_pods(std::int64_t wanted) {
  std::vector<cluster::Write> writes;
  if (is_indexed(job_)) {
    Duration shortest;
    for (const std::int64_t index : pending_indexes(wanted)) {
      if (const auto at = delayed_.find(index); at != delayed_.end()) {
        const Backoff backoff{index_failures_all(at->second) + 1, finished_at(at->second)};
        const Duration wait = remaining(backoff, now_);
        if (wait > Duration()) {
          shortest = shortest > Duration() ? std::min(shortest, wait) : wait;
          continue;
        }
      }
      writes.push_back(create("pods", pod_of(index)));
    }
    if (writes.empty() && shortest > Duration()) {
      again_after(shortest);
      active_ = 0;  // as the original reports it, which the server then refuses if pods are ready
      return std::nullopt;
    }
  } else {
    writes.assign(static_cast<std::size_t>(wanted), create("pods", pod_of({})));
  }
  return write_slowly(
      script_, writes,
      [&](const cluster::Write&, const Result<Value>& result) {
        if (result.ok()) {
          ++active_;
          outcome_.created.push_back(*result);
          script_.event(normal(job_, "SuccessfulCreate",
                               "Created pod: " + std::string(model::name_of(*result))));
        } else if (!namespace_is_terminating(result.error())) {
          script_.event(warning(job_, "FailedCreate", "Error creating: " + result.error().message));
        }
      },
      namespace_is_terminating);
}

std::optional<Error> JobSync::manage() {
  if (is_suspended(job_)) {
    const Removed removed = remove_pods(choose_for_removal(active_), true);
    subtract(removed);
    return removed.failure;
  }
  const std::int64_t parallelism = spec()["parallelism"].as_int(1);
  std::int64_t wanted = 0;
  if (spec()["completions"].is_null())
    wanted = succeeded_ > 0 ? active_ : parallelism;
  else
    wanted = std::clamp<std::int64_t>(completions() - succeeded_, 0, parallelism);
  Pods surplus = choose_for_removal(std::max<std::int64_t>(0, active_ - wanted));
  if (!surplus.empty()) {
    if (std::ssize(surplus) > kBurst) surplus.resize(static_cast<std::size_t>(kBurst));
    const Removed removed = remove_pods(surplus, true);
    subtract(removed);
    return removed.failure;
  }
  const std::int64_t missing = wanted - active_ - (replaces_only_failed(job_) ? terminating_ : 0);
  if (missing <= 0) return std::nullopt;
  if (!has_limit_per_index(job_)) {
    const Duration wait = remaining(backoff_, now_);
    if (wait > Duration()) {
      again_after(wait);
      active_ = 0;  // see create_pods
      return std::nullopt;
    }
  }
  return create_pods(std::min(missing, kBurst));
}

}  // namespace keelson::control::jobs
