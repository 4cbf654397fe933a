// What a Deployment's status says: counts, availability, progress against its deadline. Pure.
// Behaviour: pkg/controller/deployment/progress.go and sync.go.
#include <algorithm>

#include "control/deployment/deployment_sync.h"

namespace keelson::control::rollout {

Value DeploymentSync::condition(std::string_view type, std::string_view status,
                                std::string_view reason, std::string message) const {
  const std::string now = to_rfc3339(inputs_.now);
  return Value::object({{"type", type},
                        {"status", status},
                        {"reason", reason},
                        {"message", message},
                        {"lastUpdateTime", now},
                        {"lastTransitionTime", now}});
}

Result<void> DeploymentSync::write_status() {
  TRY(deployment_, script_.write(update(kDeployments, deployment_, "status")));
  return {};
}

Value DeploymentSync::status_of(const Sides& sides) const {
  const ReplicaSets all = sides.all();
  const std::int64_t available = sum_status(all, "availableReplicas");
  Value status = Value::object();
  set_count(status, "observedGeneration", model::generation_of(deployment_));
  set_count(status, "replicas", sum_status(all, "replicas"));
  set_count(status, "updatedReplicas", sides.new_one["status"]["replicas"].as_int());
  set_count(status, "readyReplicas", sum_status(all, "readyReplicas"));
  set_count(status, "availableReplicas", available);
  set_count(status, "unavailableReplicas",
            std::max<std::int64_t>(0, sum_spec_replicas(all) - available));
  if (const auto terminating = sum_terminating(all))
    status.set("terminatingReplicas", *terminating);
  for (const char* kept : {"collisionCount", "conditions"})
    if (const Value& value = deployment_["status"][kept]; !value.is_null()) status.set(kept, value);

  const bool enough = available >= replicas_of(deployment_) - max_unavailable(deployment_);
  set_condition(status, enough ? condition("Available", "True", "MinimumReplicasAvailable",
                                           "Deployment has minimum availability.")
                               : condition("Available", "False", "MinimumReplicasUnavailable",
                                           "Deployment does not have minimum availability."));
  return status;
}

Result<void> DeploymentSync::write_plain_status(const Sides& sides) {
  Value status = status_of(sides);
  if (same_content(status, deployment_["status"])) return {};
  deployment_.set("status", std::move(status));
  return write_status();
}

bool DeploymentSync::has_timed_out(const Value& status) const {
  const Value& progressing = condition_in(status, "Progressing");
  const std::string_view reason = progressing["reason"].as_string();
  // What was complete once is no rollout any more.
  if (progressing.is_null() || reason == "NewReplicaSetAvailable") return false;
  return reason == "ProgressDeadlineExceeded" || deadline_after(progressing) < inputs_.now;
}

void DeploymentSync::judge_progress(const Sides& sides, Value& status) const {
  const Value current = condition_in(deployment_["status"], "Progressing");
  const std::string subject = sides.new_one.is_null() ? "Deployment " + quoted_name(deployment_)
                                                      : "ReplicaSet " + quoted_name(sides.new_one);
  if (is_complete(deployment_, status)) {
    set_condition(status, condition("Progressing", "True", "NewReplicaSetAvailable",
                                    subject + " has successfully progressed."));
  } else if (is_progressing(deployment_["status"], status)) {
    // Unlike any other condition this one is renewed with the same reason, because lastUpdateTime
    // is what the deadline counts from.
    Value progressing =
        condition("Progressing", "True", "ReplicaSetUpdated", subject + " is progressing.");
    if (current["status"].as_string() == "True")
      progressing.set("lastTransitionTime", current["lastTransitionTime"]);
    remove_condition(status, "Progressing");
    set_condition(status, std::move(progressing));
  } else if (has_timed_out(status)) {
    set_condition(status, condition("Progressing", "False", "ProgressDeadlineExceeded",
                                    subject + " has timed out progressing."));
  }
}

namespace {
// The failure of the new ReplicaSet, else the first of any, as a Deployment's condition.
Value replica_failure(const Value& new_one, const ReplicaSets& all) {
  Value found = condition_in(new_one["status"], "ReplicaFailure");
  for (const Value& one : all)
    if (found.is_null()) found = condition_in(one["status"], "ReplicaFailure");
  if (!found.is_null()) found.set("lastUpdateTime", found["lastTransitionTime"]);
  return found;
}
}  // namespace

Result<void> DeploymentSync::write_rollout_status(const Sides& sides) {
  Value status = status_of(sides);
  if (!has_progress_deadline(deployment_)) {
    remove_condition(status, "Progressing");
  } else {
    const Value& current = condition_in(deployment_["status"], "Progressing");
    const bool was_complete = current["reason"].as_string() == "NewReplicaSetAvailable" &&
                              status["replicas"] == status["updatedReplicas"];
    if (!was_complete) judge_progress(sides, status);
  }
  if (Value failure = replica_failure(sides.new_one, sides.all()); !failure.is_null())
    set_condition(status, std::move(failure));
  else
    remove_condition(status, "ReplicaFailure");

  if (same_content(status, deployment_["status"])) {
    wake_for_deadline(status);
    return {};
  }
  deployment_.set("status", std::move(status));
  return write_status();
}

// Nothing moves: look again a second after the deadline, which spares a close race with the clock.
void DeploymentSync::wake_for_deadline(const Value& status) {
  const Value& progressing = condition_in(deployment_["status"], "Progressing");
  const std::string_view reason = progressing["reason"].as_string();
  if (!has_progress_deadline(deployment_) || progressing.is_null() ||
      is_complete(deployment_, status) || reason == "ProgressDeadlineExceeded")
    return;
  const Instant deadline = deadline_after(progressing);
  if (deadline - inputs_.now >= Duration::seconds(1)) {
    script_.wake_at(deadline + Duration::seconds(1));
  } else if (reason != "NewReplicaSetAvailable") {
    script_.wake_at(std::max(deadline, inputs_.now) + Duration::milliseconds(5));
  }
  // Else it was complete once and never times out. Kubernetes looks every few milliseconds.
}

}  // namespace keelson::control::rollout
