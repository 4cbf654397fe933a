#include "app/workload_health.h"

#include "model/meta.h"

namespace keelson::app {
namespace {

using codec::Value;

std::string with_message(std::string_view reason, const Value& message) {
  std::string text(reason);
  if (!message.as_string().empty()) text += (text.empty() ? "" : ": ") + message.str();
  return text;
}

// Waiting states that a healthy start passes through.
bool is_ordinary(std::string_view reason) {
  return reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing";
}

std::string trouble_of_containers(const Value& statuses) {
  for (const Value& status : statuses.elements()) {
    const Value& waiting = status["state"]["waiting"];
    if (!is_ordinary(waiting["reason"].as_string()))
      return with_message(waiting["reason"].as_string(), waiting["message"]);
    const Value& ended = status["state"]["terminated"];
    if (ended.is_object() && ended["exitCode"].as_int() != 0)
      return "container " + status["name"].str() + " ended with code " +
             std::to_string(ended["exitCode"].as_int());
  }
  return {};
}

}  // namespace

Health health_of_workload(const Value& object) {
  const std::string_view kind = model::kind_of(object);
  const Value& spec = object["spec"];
  const Value& status = object["status"];
  Health health;
  if (status["observedGeneration"].as_int() < model::generation_of(object) && kind != "Job") {
    health.wanted = spec["replicas"].as_int(1);
    health.reason = "not yet seen by its controller";
    return health;
  }
  std::int64_t updated = 0, total = 0;
  if (kind == "DaemonSet") {
    health.wanted = status["desiredNumberScheduled"].as_int();
    health.ready = status["numberAvailable"].as_int();
    updated = status["updatedNumberScheduled"].as_int();
    total = health.wanted;
  } else if (kind == "Job") {
    health.wanted = spec["completions"].as_int(1);
    health.ready = status["succeeded"].as_int();
    health.well = model::condition_is_true(object, "Complete");
    if (!health.well)
      health.reason = model::condition_is_true(object, "Failed") ? "failed" : "running";
    return health;
  } else {
    health.wanted = spec["replicas"].as_int(1);
    health.ready = kind == "Deployment" ? status["availableReplicas"].as_int()
                                        : status["readyReplicas"].as_int();
    updated = kind == "ReplicaSet" ? health.wanted : status["updatedReplicas"].as_int();
    total = status["replicas"].as_int();
  }
  health.well = health.ready >= health.wanted && updated >= health.wanted && total <= health.wanted;
  if (health.well) return health;
  const Value& progress = model::condition_of(object, "Progressing");
  if (progress["status"].as_string() == "False")
    health.reason = progress["message"].str();
  else if (health.ready < health.wanted)
    health.reason = "waiting for pods";
  else if (updated < health.wanted)
    health.reason = "rolling out";
  else
    health.reason = "old pods are ending";
  return health;
}

std::string trouble_of_pod(const Value& pod) {
  if (model::pod_is_ready(pod) || model::is_deleting(pod)) return {};
  const Value& status = pod["status"];
  const std::string_view phase = status["phase"].as_string();
  if (phase == "Succeeded") return {};
  if (phase == "Failed")
    return with_message(status["reason"].as_string("Failed"), status["message"]);
  const Value& scheduled = model::condition_of(pod, "PodScheduled");
  if (scheduled["status"].as_string() == "False")
    return with_message(scheduled["reason"].as_string(), scheduled["message"]);
  for (const char* list : {"initContainerStatuses", "containerStatuses"})
    if (std::string text = trouble_of_containers(status[list]); !text.empty()) return text;
  return {};
}

}  // namespace keelson::app
