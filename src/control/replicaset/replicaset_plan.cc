// What a ReplicaSet's sync decides. Pure; see replicaset.h.
#include <algorithm>

#include "control/common/templates.h"
#include "control/replicaset/replicaset.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace {

// At most so many pods are made or deleted in one sync.
constexpr std::size_t kBurst = 500;

Duration min_ready_of(const Value& replica_set) {
  return Duration::seconds(replica_set["spec"]["minReadySeconds"].as_int());
}

std::optional<Error> create_pods(const Value& replica_set, std::size_t count, Script& script,
                                 ReplicaSetOutcome& outcome) {
  const Value& pod_template = replica_set["spec"]["template"];
  if (pod_template["metadata"]["labels"].empty())
    return Error{Reason::internal_error, "unable to create pods, no labels"};
  const std::vector<cluster::Write> writes(
      count, create("pods", pod_from_template(pod_template, replica_set)));
  return write_slowly(
      script, writes,
      [&](const cluster::Write&, const Result<Value>& result) {
        if (result.ok()) {
          outcome.created.push_back(*result);
          script.event(normal(replica_set, "SuccessfulCreate",
                              "Created pod: " + std::string(model::name_of(*result))));
        } else if (!namespace_is_terminating(result.error())) {
          script.event(
              warning(replica_set, "FailedCreate", "Error creating: " + result.error().message));
        }
      },
      namespace_is_terminating);
}

std::optional<Error> delete_pods(const Value& replica_set, const Pods& pods, Script& script,
                                 ReplicaSetOutcome& outcome) {
  std::vector<cluster::Write> writes;
  for (const Value& pod : pods) writes.push_back(remove("pods", pod));
  const std::vector<Result<Value>> results = script.write(writes);
  std::optional<Error> failure;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].ok()) {
      outcome.deleted.push_back(pods[i]);
      script.event(normal(replica_set, "SuccessfulDelete",
                          "Deleted pod: " + std::string(model::name_of(pods[i]))));
    } else if (results[i].error().reason != Reason::not_found) {
      script.event(
          warning(replica_set, "FailedDelete", "Error deleting: " + results[i].error().message));
      if (!failure)
        failure = Error{results[i].error().reason,
                        "unable to delete pods: " + results[i].error().message};
    }
  }
  return failure;
}

// Brings the number of active pods to spec.replicas.
std::optional<Error> manage(const ReplicaSetInputs& inputs, const Pods& active, Script& script,
                            ReplicaSetOutcome& outcome) {
  const auto wanted = static_cast<std::size_t>(
      std::max<std::int64_t>(0, inputs.replica_set["spec"]["replicas"].as_int(1)));
  if (active.size() < wanted)
    return create_pods(inputs.replica_set, std::min(wanted - active.size(), kBurst), script,
                       outcome);
  if (active.size() == wanted) return std::nullopt;
  const std::size_t surplus = std::min(active.size() - wanted, kBurst);
  Pods candidates = active;
  if (surplus < candidates.size()) rank_for_deletion(candidates, inputs.related, inputs.now);
  candidates.resize(surplus);
  return delete_pods(inputs.replica_set, candidates, script, outcome);
}

Value status_of(const ReplicaSetInputs& inputs, const Pods& active, std::size_t terminating,
                const std::optional<Error>& failure) {
  const Value& replica_set = inputs.replica_set;
  const auto labels =
      model::LabelSelector::of_map(replica_set["spec"]["template"]["metadata"]["labels"]);
  std::int64_t labelled = 0, ready = 0, available = 0;
  for (const Value& pod : active) {
    if (labels.matches(model::labels_of(pod))) ++labelled;
    if (model::pod_is_ready(pod)) ++ready;
    if (pod_is_available(pod, min_ready_of(replica_set), inputs.now)) ++available;
  }

  Value status = replica_set["status"];
  if (!status.is_object()) status = Value::object();
  const bool reported = !condition_in(status, "ReplicaFailure").is_null();
  if (failure && !reported) {
    const auto wanted = replica_set["spec"]["replicas"].as_int(1);
    const auto count = static_cast<std::int64_t>(active.size());
    set_condition(status,
                  Value::object({{"type", "ReplicaFailure"},
                                 {"status", "True"},
                                 {"reason", count < wanted ? "FailedCreate" : "FailedDelete"},
                                 {"message", failure->message},
                                 {"lastTransitionTime", to_rfc3339(inputs.now)}}));
  } else if (!failure && reported) {
    remove_condition(status, "ReplicaFailure");
  }
  status.set("replicas", active.size());
  set_count(status, "fullyLabeledReplicas", labelled);
  set_count(status, "readyReplicas", ready);
  set_count(status, "availableReplicas", available);
  if (inputs.kind.counts_terminating) status.set("terminatingReplicas", terminating);
  return status;
}

}  // namespace

Result<void> sync_replica_set(const ReplicaSetInputs& inputs, Script& script,
                              ReplicaSetOutcome& outcome) {
  const Value& replica_set = inputs.replica_set;
  const auto selector = selector_of(inputs.kind.owner, replica_set);
  if (!selector.ok()) return {};  // nothing a retry could change

  TRY(const Pods active,
      claim(script, "pods", replica_set, *selector, filter(inputs.pods, pod_is_active)));
  std::size_t terminating = 0;
  for (const Value& pod : inputs.pods)
    if (pod_is_terminating(pod) && model::is_controlled_by(pod, model::uid_of(replica_set)) &&
        selector->matches(model::labels_of(pod)))
      ++terminating;

  std::optional<Error> failure;
  if (inputs.may_manage && !model::is_deleting(replica_set))
    failure = manage(inputs, active, script, outcome);

  Value current = replica_set;
  Value status = status_of(inputs, active, terminating, failure);
  status.set("observedGeneration", model::generation_of(replica_set));
  if (!same_content(status, current["status"])) {
    current.set("status", status);
    TRY(current, script.write(update(inputs.kind.owner.resource, current, "status")));
  }
  if (failure) return *failure;

  const Value& written = current["status"];
  if (min_ready_of(replica_set) > Duration() &&
      written["readyReplicas"].as_int() != written["availableReplicas"].as_int())
    script.wake_at(next_availability(active, min_ready_of(replica_set), inputs.now)
                       .value_or(inputs.now + min_ready_of(replica_set)));
  return {};
}

}  // namespace keelson::control
