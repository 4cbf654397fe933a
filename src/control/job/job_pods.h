// What a Job reads from its pods: whether one failed and whether that counts, when it ended, which
// index it worked on, and how long to wait before the next try. Pure.
// Behaviour: pod_failure_policy.go, backoff_utils.go and indexed_job_utils.go in pkg/controller/job
// of Kubernetes 1.36.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "control/common/pods.h"

namespace keelson::control::jobs {

inline constexpr std::string_view kFinalizer = "batch.kubernetes.io/job-tracking";
inline constexpr std::string_view kIndexKey = "batch.kubernetes.io/job-completion-index";
inline constexpr std::string_view kFailuresKey = "batch.kubernetes.io/job-index-failure-count";
inline constexpr std::string_view kIgnoredKey =
    "batch.kubernetes.io/job-index-ignored-failure-count";

bool is_indexed(const Value& job);
bool is_suspended(const Value& job);
bool has_limit_per_index(const Value& job);
// Pods that are asked to go are replaced only when they have ended.
bool replaces_only_failed(const Value& job);
// The terminal condition, Complete or Failed; null while there is none.
const Value& finished_condition(const Value& job);
// Another controller looks after this Job.
bool is_managed_elsewhere(const Value& job);

bool has_finalizer(const Value& pod);
std::optional<std::int64_t> index_of(const Value& pod);
std::set<std::int64_t> indexes_of(const Pods& pods);
bool is_failed(const Value& job, const Value& pod);
Instant finished_at(const Value& pod);

// What spec.podFailurePolicy says of a failed pod.
struct FailureMatch {
  std::string action = {};       // empty: no rule fits
  bool counts = true;            // towards the limits
  std::string job_failure = {};  // not empty: the Job fails with this message
};
FailureMatch match_failure(const Value& job, const Value& pod);

// Failures of the pod's index before it that counted, and all of them.
std::int64_t index_failures(const Value& pod);
std::int64_t index_failures_all(const Value& pod);

// Failures in a row. The retry delay is 10 s, doubled with each, at most 10 min.
struct Backoff {
  std::int64_t failures = 0;
  Instant last = {};
  bool operator==(const Backoff&) const = default;
};
Backoff backoff_after(const Backoff& before, const Pods& succeeded, const Pods& failed);
Duration remaining(const Backoff& backoff, Instant now);

}  // namespace keelson::control::jobs
