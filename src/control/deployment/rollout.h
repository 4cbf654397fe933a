// The arithmetic of a Deployment: fence posts, proportions, revisions and annotations, as functions
// of values. Inside this folder only.
// Behaviour: pkg/controller/deployment/util/deployment_util.go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"

namespace keelson::control::rollout {

using codec::Value;
using ReplicaSets = std::vector<Value>;

inline constexpr std::string_view kHashLabel = "pod-template-hash";
inline constexpr std::string_view kRevision = "deployment.kubernetes.io/revision";
inline constexpr std::string_view kRollbackTo = "deprecated.deployment.rollback.to";

std::int64_t replicas_of(const Value& workload);  // spec.replicas
bool is_rolling(const Value& deployment);
std::int64_t max_surge(const Value& deployment);        // rounded up
std::int64_t max_unavailable(const Value& deployment);  // rounded down; 1 if both come to 0
bool has_progress_deadline(const Value& deployment);

// Sums over the ReplicaSets, null ones skipped.
std::int64_t sum_spec_replicas(const ReplicaSets& all);
std::int64_t sum_status(const ReplicaSets& all, std::string_view field);
// nullopt if one that was synced does not report it.
std::optional<std::int64_t> sum_terminating(const ReplicaSets& all);
ReplicaSets active(const ReplicaSets& all);  // that have or ought to have pods

// Null if there is none. The oldest with the Deployment's template; `all` is ordered by age.
Value find_new(const Value& deployment, const ReplicaSets& all);
ReplicaSets find_old(const Value& deployment, const ReplicaSets& all);

// 0 if there is none; nullopt if it is no number.
std::optional<std::int64_t> revision_of(const Value& replica_set);
std::int64_t max_revision(const ReplicaSets& all);
std::int64_t last_revision(const ReplicaSets& all);  // the second highest; 0 if there is none
void order_by_revision(ReplicaSets& all);

// What the Deployment copies to its new ReplicaSet; true if that changed something. A revision that
// the ReplicaSet had before goes to its history.
bool set_new_annotations(const Value& deployment, Value& replica_set, std::int64_t revision,
                         bool exists);
bool set_replicas_annotations(const Value& deployment, Value& replica_set);
// The annotation of the size the Deployment had when it last scaled this ReplicaSet.
std::optional<std::int64_t> desired_replicas(const Value& replica_set);
// Annotations of a Deployment that is rolled back to this ReplicaSet.
Value annotations_after_rollback(const Value& deployment, const Value& replica_set);

// How large a new ReplicaSet may be now.
std::int64_t new_replicas(const Value& deployment, const ReplicaSets& all, const Value& new_one);
// The part of `to_add` (negative: to take away) that falls to this ReplicaSet.
std::int64_t proportion(const Value& deployment, const Value& replica_set, std::int64_t to_add,
                        std::int64_t added);
// The one that is to be scaled alone; null if several have pods.
Value active_or_latest(const Value& new_one, ReplicaSets old);
bool is_saturated(const Value& deployment, const Value& replica_set);

bool is_complete(const Value& deployment, const Value& status);
bool is_progressing(const Value& before, const Value& after);  // two statuses

}  // namespace keelson::control::rollout
