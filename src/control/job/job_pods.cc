// See job_pods.h.
#include "control/job/job_pods.h"

#include <algorithm>

#include "base/text.h"
#include "model/finalizers.h"
#include "model/meta.h"

namespace keelson::control::jobs {
namespace {

constexpr Duration kRetryFirst = Duration::seconds(10), kRetryMax = Duration::minutes(10);

std::int64_t count_in(const Value& pod, std::string_view annotation) {
  const auto count = parse_int(model::annotation_of(pod, annotation));
  return count && *count >= 0 && *count <= INT32_MAX ? *count : 0;
}

bool exit_code_fits(const Value& requirement, std::int64_t code) {
  const codec::Array& values = requirement["values"].elements();
  const bool listed =
      std::any_of(values.begin(), values.end(), [&](const Value& v) { return v.as_int() == code; });
  const std::string_view op = requirement["operator"].as_string();
  return op == "In" ? listed : op == "NotIn" && !listed;
}

// The first ended container that the requirement is about and fits.
const Value* matching_container(const Value& pod, const Value& requirement) {
  for (const char* list : {"containerStatuses", "initContainerStatuses"})
    for (const Value& status : pod["status"][list].elements()) {
      const Value& ended = status["state"]["terminated"];
      const Value& only = requirement["containerName"];
      if (ended.is_null() || (!only.is_null() && !(only == status["name"]))) continue;
      if (ended["exitCode"].as_int() != 0 &&
          exit_code_fits(requirement, ended["exitCode"].as_int()))
        return &status;
    }
  return nullptr;
}

const Value* matching_condition(const Value& pod, const Value& patterns) {
  for (const Value& condition : pod["status"]["conditions"].elements())
    for (const Value& pattern : patterns.elements())
      if (condition["type"] == pattern["type"] && condition["status"] == pattern["status"])
        return &condition;
  return nullptr;
}

std::string full_name(const Value& pod) {
  return std::string(model::namespace_of(pod)) + "/" + std::string(model::name_of(pod));
}

// When the last container ended; nullopt if one has not. Of the init containers only those that run
// beside the others count.
std::optional<Instant> containers_ended_at(const Value& pod) {
  std::optional<Instant> latest;
  const auto add = [&](const Value& status) {
    const Instant at = model::time_of(status["state"]["terminated"]["finishedAt"]);
    if (at.is_zero()) return false;
    latest = latest ? std::max(*latest, at) : at;
    return true;
  };
  for (const Value& status : pod["status"]["containerStatuses"].elements())
    if (!add(status)) return std::nullopt;
  std::set<std::string> sidecars;
  for (const Value& container : pod["spec"]["initContainers"].elements())
    if (model::is_sidecar(container)) sidecars.insert(container["name"].str());
  for (const Value& status : pod["status"]["initContainerStatuses"].elements())
    if (sidecars.contains(status["name"].str()) && !add(status)) return std::nullopt;
  return latest;
}

}  // namespace

bool is_indexed(const Value& job) {
  return job["spec"]["completionMode"].as_string() == "Indexed";
}

bool is_suspended(const Value& job) {
  return job["spec"]["suspend"].as_bool();
}

bool has_limit_per_index(const Value& job) {
  return !job["spec"]["backoffLimitPerIndex"].is_null();
}

bool replaces_only_failed(const Value& job) {
  return job["spec"]["podReplacementPolicy"].as_string() == "Failed" ||
         !job["spec"]["podFailurePolicy"].is_null();
}

const Value& finished_condition(const Value& job) {
  static const Value none;
  for (const Value& condition : job["status"]["conditions"].elements())
    if ((condition["type"].as_string() == "Complete" ||
         condition["type"].as_string() == "Failed") &&
        condition["status"].as_string() == "True")
      return condition;
  return none;
}

bool is_managed_elsewhere(const Value& job) {
  const Value& manager = job["spec"]["managedBy"];
  return !manager.is_null() && manager.as_string() != "kubernetes.io/job-controller";
}

bool has_finalizer(const Value& pod) {
  return model::has_finalizer(pod, kFinalizer);
}

std::optional<std::int64_t> index_of(const Value& pod) {
  const auto index = parse_int(model::annotation_of(pod, kIndexKey));
  return index && *index >= 0 ? index : std::nullopt;
}

std::set<std::int64_t> indexes_of(const Pods& pods) {
  std::set<std::int64_t> indexes;
  for (const Value& pod : pods)
    if (const auto index = index_of(pod)) indexes.insert(*index);
  return indexes;
}

bool is_failed(const Value& job, const Value& pod) {
  const std::string_view phase = pod["status"]["phase"].as_string();
  if (phase == "Failed") return true;
  // A pod that was deleted may never get to fail.
  return !replaces_only_failed(job) && model::is_deleting(pod) && phase != "Succeeded";
}

Instant finished_at(const Value& pod) {
  if (const auto ended = containers_ended_at(pod)) return *ended;
  const Value& ready = model::condition_of(pod, "Ready");
  if (ready["status"].as_string() == "False")
    if (const Instant at = model::time_of(ready["lastTransitionTime"]); !at.is_zero()) return at;
  const Value& meta = pod["metadata"];
  if (model::is_deleting(pod))
    return model::time_of(meta["deletionTimestamp"]) -
           Duration::seconds(meta["deletionGracePeriodSeconds"].as_int());
  return model::creation_time_of(pod);
}

FailureMatch match_failure(const Value& job, const Value& pod) {
  const codec::Array& rules = job["spec"]["podFailurePolicy"]["rules"].elements();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Value& rule = rules[i];
    const std::string action = rule["action"].str();
    std::string why;
    if (const Value& codes = rule["onExitCodes"]; !codes.is_null()) {
      const Value* status = matching_container(pod, codes);
      if (status == nullptr) continue;
      why = "Container " + (*status)["name"].str() + " for pod " + full_name(pod) +
            " failed with exit code " +
            std::to_string((*status)["state"]["terminated"]["exitCode"].as_int());
    } else {
      const Value* condition = matching_condition(pod, rule["onPodConditions"]);
      if (condition == nullptr) continue;
      why = "Pod " + full_name(pod) + " has condition " + (*condition)["type"].str();
    }
    if (action == "Ignore") return {action, false, {}};
    if (action == "FailIndex" || action == "Count") return {action, true, {}};
    if (action == "FailJob")
      return {action, true, why + " matching " + action + " rule at index " + std::to_string(i)};
  }
  return {};
}

std::int64_t index_failures(const Value& pod) {
  return count_in(pod, kFailuresKey);
}

std::int64_t index_failures_all(const Value& pod) {
  return count_in(pod, kFailuresKey) + count_in(pod, kIgnoredKey);
}

Backoff backoff_after(const Backoff& before, const Pods& succeeded, const Pods& failed) {
  if (succeeded.empty() && failed.empty()) return before;
  std::vector<Instant> failures;
  for (const Value& pod : failed) failures.push_back(finished_at(pod));
  std::sort(failures.begin(), failures.end());
  if (succeeded.empty())
    return {before.failures + static_cast<std::int64_t>(failures.size()), failures.back()};
  // Only what failed after the last success counts.
  Instant success = finished_at(succeeded.front());
  for (const Value& pod : succeeded) success = std::max(success, finished_at(pod));
  Backoff after;
  for (const Instant failure : failures)
    if (failure > success) after = {after.failures + 1, failure};
  return after;
}

Duration remaining(const Backoff& backoff, Instant now) {
  if (backoff.failures == 0) return {};
  Duration delay = kRetryFirst;
  for (std::int64_t i = 1; i < backoff.failures && delay < kRetryMax; ++i)
    delay = std::min(delay * 2, kRetryMax);
  return std::max(Duration(), delay - (now - backoff.last));
}

}  // namespace keelson::control::jobs
