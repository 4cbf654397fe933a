// See rollout.h.
#include "control/deployment/rollout.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/text.h"
#include "control/common/templates.h"
#include "model/meta.h"

namespace keelson::control::rollout {
namespace {

constexpr std::string_view kHistory = "deployment.kubernetes.io/revision-history";
constexpr std::string_view kDesired = "deployment.kubernetes.io/desired-replicas";
constexpr std::string_view kMax = "deployment.kubernetes.io/max-replicas";
constexpr std::size_t kHistoryLengthMax = 2000;

// Annotations that are the controllers' own, not handed on to a ReplicaSet.
bool is_own_annotation(std::string_view key) {
  static constexpr std::array<std::string_view, 6> own{
      "kubectl.kubernetes.io/last-applied-configuration",
      kRevision,
      kHistory,
      kDesired,
      kMax,
      kRollbackTo};
  return std::find(own.begin(), own.end(), key) != own.end();
}

// spec.strategy.rollingUpdate resolved in one step, because two zeros are no rollout at all.
struct Fenceposts {
  std::int64_t surge = 0, unavailable = 0;
};
Fenceposts fenceposts(const Value& deployment) {
  const Value& rolling = deployment.at("spec.strategy.rollingUpdate");
  const std::int64_t desired = replicas_of(deployment);
  Fenceposts posts{scaled(rolling["maxSurge"], desired, true),
                   scaled(rolling["maxUnavailable"], desired, false)};
  // Surge alone might never work under a quota.
  if (posts.surge == 0 && posts.unavailable == 0) posts.unavailable = 1;
  return posts;
}

bool set_annotation(Value& object, std::string_view key, const std::string& text) {
  if (model::annotation_of(object, key) == text && model::annotations_of(object).has(key))
    return false;
  object.edit("metadata").edit("annotations").set(key, text);
  return true;
}

std::optional<std::int64_t> count_annotation(const Value& object, std::string_view key) {
  const std::string_view text = model::annotation_of(object, key);
  if (text.empty() || text[0] == '+' || text[0] == '-') return std::nullopt;
  const auto count = parse_int(text);
  return count && *count <= INT32_MAX ? count : std::nullopt;
}

// The size it would have if every ReplicaSet followed the Deployment, less its present size.
std::int64_t fraction(const Value& deployment, const Value& replica_set) {
  const std::int64_t size = replicas_of(replica_set);
  if (replicas_of(deployment) == 0) return -size;
  const std::int64_t whole = replicas_of(deployment) + max_surge(deployment);
  std::int64_t whole_before = count_annotation(replica_set, kMax).value_or(0);
  if (whole_before == 0) whole_before = deployment["status"]["replicas"].as_int();
  if (whole_before <= 0) return 0;
  return (2 * size * whole + whole_before) / (2 * whole_before) - size;  // rounded half up
}

bool older(const Value& a, const Value& b) {
  return std::make_tuple(model::creation_time_of(a), model::name_of(a)) <
         std::make_tuple(model::creation_time_of(b), model::name_of(b));
}

void append_history(Value& replica_set, const std::string& revision) {
  const std::string history(model::annotation_of(replica_set, kHistory));
  if (history.empty()) {
    set_annotation(replica_set, kHistory, revision);
    return;
  }
  std::vector<std::string> all = split(history, ',');
  std::size_t length = history.size() + revision.size() + 1, dropped = 0;
  while (length > kHistoryLengthMax && dropped < all.size()) length -= all[dropped++].size() + 1;
  if (length > kHistoryLengthMax) return;
  all.erase(all.begin(), all.begin() + std::ptrdiff_t(dropped));
  all.push_back(revision);
  set_annotation(replica_set, kHistory, join(all, ","));
}

}  // namespace

std::int64_t replicas_of(const Value& workload) {
  return workload["spec"]["replicas"].as_int(1);
}

bool is_rolling(const Value& deployment) {
  const std::string_view type = deployment.at("spec.strategy.type").as_string();
  return type == "RollingUpdate";
}

std::int64_t max_surge(const Value& deployment) {
  return is_rolling(deployment) ? fenceposts(deployment).surge : 0;
}

std::int64_t max_unavailable(const Value& deployment) {
  if (!is_rolling(deployment) || replicas_of(deployment) == 0) return 0;
  return std::min(fenceposts(deployment).unavailable, replicas_of(deployment));
}

bool has_progress_deadline(const Value& deployment) {
  const Value& deadline = deployment["spec"]["progressDeadlineSeconds"];
  return deadline.is_number() && deadline.as_int() != INT32_MAX;
}

std::int64_t sum_spec_replicas(const ReplicaSets& all) {
  std::int64_t sum = 0;
  for (const Value& one : all)
    if (!one.is_null()) sum += replicas_of(one);
  return sum;
}

std::int64_t sum_status(const ReplicaSets& all, std::string_view field) {
  std::int64_t sum = 0;
  for (const Value& one : all) sum += one["status"][field].as_int();
  return sum;
}

std::optional<std::int64_t> sum_terminating(const ReplicaSets& all) {
  std::int64_t sum = 0;
  for (const Value& one : all) {
    if (one.is_null()) continue;
    const Value& count = one["status"]["terminatingReplicas"];
    if (count.is_null() && one["status"]["observedGeneration"].as_int() != 0) return std::nullopt;
    sum += count.as_int();
  }
  return sum;
}

ReplicaSets active(const ReplicaSets& all) {
  ReplicaSets kept;
  for (const Value& one : all)
    if (!one.is_null() && replicas_of(one) > 0) kept.push_back(one);
  return kept;
}

Value find_new(const Value& deployment, const ReplicaSets& all) {
  const Value wanted = without_label(deployment["spec"]["template"], kHashLabel);
  for (const Value& one : all)
    if (same_content(without_label(one["spec"]["template"], kHashLabel), wanted)) return one;
  return {};
}

ReplicaSets find_old(const Value& deployment, const ReplicaSets& all) {
  const Value new_one = find_new(deployment, all);
  ReplicaSets old;
  for (const Value& one : all)
    if (new_one.is_null() || model::uid_of(one) != model::uid_of(new_one)) old.push_back(one);
  return old;
}

std::optional<std::int64_t> revision_of(const Value& replica_set) {
  const Value& annotations = model::annotations_of(replica_set);
  if (!annotations.has(kRevision)) return 0;
  return parse_int(annotations[kRevision].as_string());
}

std::int64_t max_revision(const ReplicaSets& all) {
  std::int64_t highest = 0;
  for (const Value& one : all) highest = std::max(highest, revision_of(one).value_or(0));
  return highest;
}

std::int64_t last_revision(const ReplicaSets& all) {
  std::int64_t highest = 0, second = 0;
  for (const Value& one : all) {
    if (one.is_null()) continue;
    const auto revision = revision_of(one);
    if (!revision) continue;
    if (*revision >= highest) {
      second = highest;
      highest = *revision;
    } else {
      second = std::max(second, *revision);
    }
  }
  return second;
}

void order_by_revision(ReplicaSets& all) {
  std::stable_sort(all.begin(), all.end(), [](const Value& a, const Value& b) {
    const auto ra = revision_of(a), rb = revision_of(b);
    return !ra || !rb || *ra == *rb ? older(a, b) : *ra < *rb;
  });
}

bool set_new_annotations(const Value& deployment, Value& replica_set, std::int64_t revision,
                         bool exists) {
  bool changed = false;
  for (const codec::Member& m : model::annotations_of(deployment).members())
    if (!is_own_annotation(m.key()) && set_annotation(replica_set, m.key(), m.value.str()))
      changed = true;

  const bool had_revision = model::annotations_of(replica_set).has(kRevision);
  const std::string old_text(model::annotation_of(replica_set, kRevision));
  const auto old_revision = old_text.empty() ? 0 : parse_int(old_text);
  if (!old_revision) return false;  // somebody else's text: leave all as it is
  // Old ReplicaSets may be gone, so that `revision` is less than what this one has already.
  if (*old_revision < revision) {
    changed = true;
    set_annotation(replica_set, kRevision, std::to_string(revision));
    if (had_revision) append_history(replica_set, old_text);
  }
  if (!exists && set_replicas_annotations(deployment, replica_set)) changed = true;
  return changed;
}

bool set_replicas_annotations(const Value& deployment, Value& replica_set) {
  const std::int64_t desired = replicas_of(deployment);
  const bool a = set_annotation(replica_set, kDesired, std::to_string(desired));
  const bool b = set_annotation(replica_set, kMax, std::to_string(desired + max_surge(deployment)));
  return a || b;
}

std::optional<std::int64_t> desired_replicas(const Value& replica_set) {
  return count_annotation(replica_set, kDesired);
}

Value annotations_after_rollback(const Value& deployment, const Value& replica_set) {
  Value result = Value::object();
  for (const codec::Member& m : model::annotations_of(deployment).members())
    if (is_own_annotation(m.key())) result.set(m.key(), m.value);
  for (const codec::Member& m : model::annotations_of(replica_set).members())
    if (!is_own_annotation(m.key())) result.set(m.key(), m.value);
  return result;
}

std::int64_t new_replicas(const Value& deployment, const ReplicaSets& all, const Value& new_one) {
  const std::int64_t desired = replicas_of(deployment);
  if (!is_rolling(deployment)) return desired;
  const std::int64_t size = replicas_of(new_one);
  // The surge as it stands in the spec: what fence posts would make of it does not matter here.
  const std::int64_t total_max =
      desired + scaled(deployment.at("spec.strategy.rollingUpdate.maxSurge"), desired, true);
  const std::int64_t total = sum_spec_replicas(all);
  if (total >= total_max) return size;
  return size + std::min(total_max - total, desired - size);
}

std::int64_t proportion(const Value& deployment, const Value& replica_set, std::int64_t to_add,
                        std::int64_t added) {
  if (replica_set.is_null() || replicas_of(replica_set) == 0 || to_add == 0 || to_add == added)
    return 0;
  const std::int64_t share = fraction(deployment, replica_set);
  return to_add > 0 ? std::min(share, to_add - added) : std::max(share, to_add - added);
}

Value active_or_latest(const Value& new_one, ReplicaSets old) {
  std::sort(old.begin(), old.end(), [](const Value& a, const Value& b) { return older(b, a); });
  ReplicaSets all = old;
  all.push_back(new_one);
  const ReplicaSets with_pods = active(all);
  if (with_pods.size() == 1) return with_pods[0];
  if (with_pods.size() > 1) return {};
  if (!new_one.is_null() || old.empty()) return new_one;
  return old[0];
}

bool is_saturated(const Value& deployment, const Value& replica_set) {
  if (replica_set.is_null()) return false;
  const auto annotated = parse_int(model::annotation_of(replica_set, kDesired));
  const std::int64_t desired = replicas_of(deployment);
  return annotated && *annotated == desired && replicas_of(replica_set) == desired &&
         replica_set["status"]["availableReplicas"].as_int() == desired;
}

bool is_complete(const Value& deployment, const Value& status) {
  const std::int64_t desired = replicas_of(deployment);
  return status["updatedReplicas"].as_int() == desired && status["replicas"].as_int() == desired &&
         status["availableReplicas"].as_int() == desired &&
         status["observedGeneration"].as_int() >= model::generation_of(deployment);
}

bool is_progressing(const Value& before, const Value& after) {
  const auto old_pods = [](const Value& status) {
    return status["replicas"].as_int() - status["updatedReplicas"].as_int();
  };
  return after["updatedReplicas"].as_int() > before["updatedReplicas"].as_int() ||
         old_pods(after) < old_pods(before) ||
         after["readyReplicas"].as_int() > before["readyReplicas"].as_int() ||
         after["availableReplicas"].as_int() > before["availableReplicas"].as_int();
}

}  // namespace keelson::control::rollout
