// The order of everything here is the order in which the original writes it, so that a status can
// be compared line by line.
#include "node/pod_status.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "model/conditions.h"
#include "model/meta.h"
#include "node/pod_spec.h"

namespace keelson::node {
namespace {

constexpr std::string_view kUnknownReason = "ContainerStatusUnknown";
constexpr std::array<std::string_view, 5> kOwnConditions = {
    "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"};

const Value& status_named(const Value& statuses, std::string_view name) {
  static const Value none;
  for (const Value& status : statuses.elements())
    if (status["name"].as_string() == name) return status;
  return none;
}

Value terminated_state(const ContainerRun& run, const std::string& id) {
  const auto time = [](Instant at) { return at.is_zero() ? Value() : Value(to_rfc3339(at)); };
  Value state = Value::object({{"exitCode", run.exit_code},
                               {"startedAt", time(run.started_at)},
                               {"finishedAt", time(run.finished_at)},
                               {"containerID", id}});
  if (run.signal != 0) state.set("signal", run.signal);
  if (!run.reason.empty()) state.set("reason", run.reason);
  if (!run.message.empty()) state.set("message", run.message);
  return Value::object({{"terminated", std::move(state)}});
}

Value lost_state(std::string_view message) {
  return Value::object({{"terminated", Value::object({{"exitCode", 137},
                                                      {"reason", kUnknownReason},
                                                      {"message", message},
                                                      {"startedAt", nullptr},
                                                      {"finishedAt", nullptr}})}});
}

Value waiting_state(std::string_view reason, std::string_view message = {}) {
  Value waiting = Value::object();
  if (!reason.empty()) waiting.set("reason", reason);
  if (!message.empty()) waiting.set("message", message);
  return Value::object({{"waiting", std::move(waiting)}});
}

Value state_of(const ContainerRun& run, const std::string& id) {
  switch (run.state) {
    case ContainerRun::State::running:
      return Value::object(
          {{"running", Value::object({{"startedAt", to_rfc3339(run.started_at)}})}});
    case ContainerRun::State::exited: return terminated_state(run, id);
    case ContainerRun::State::unknown:
      return lost_state("The container could not be located when the pod was terminated");
    case ContainerRun::State::created: break;
  }
  return waiting_state({});
}

Value mount_statuses(const Value& container) {
  Value mounts = Value::array();
  for (const Value& mount : container["volumeMounts"].elements()) {
    Value status = Value::object({{"name", mount["name"]}, {"mountPath", mount["mountPath"]}});
    if (mount["readOnly"].as_bool()) {
      status.set("readOnly", true);
      status.set("recursiveReadOnly", "Disabled");
    }
    mounts.push_back(std::move(status));
  }
  return mounts;
}

class Statuses {
 public:
  explicit Statuses(const StatusInput& input) : input_(input) {}

  Value of_list(std::string_view list, std::string_view field) const {
    Value statuses = Value::array();
    const bool init = list == "initContainers";
    for (const Value& container : input_.pod["spec"][list].elements())
      statuses.push_back(one(container, init, input_.pod["status"][field]));
    if (!init) {
      auto& elements = statuses.edit_elements();
      std::sort(elements.begin(), elements.end(), [](const Value& a, const Value& b) {
        return a["name"].as_string() < b["name"].as_string();
      });
    }
    return statuses;
  }

 private:
  Value one(const Value& container, bool init, const Value& old_statuses) const {
    const std::string name = container["name"].str();
    const Value& old = status_named(old_statuses, name);
    const Runs runs = seen_runs(name);
    Value status = Value::object({{"name", name},
                                  {"image", container["image"]},
                                  {"imageID", ""},
                                  {"ready", false},
                                  {"started", false},
                                  {"restartCount", 0},
                                  {"lastState", Value::object()}});
    if (container["volumeMounts"].size() > 0) status.set("volumeMounts", mount_statuses(container));
    if (runs.latest == nullptr)
      never_seen(status, old);
    else
      seen(status, container, old, runs);
    maybe_waiting(status, container, init, runs);
    set_ready(status, container, init, runs);
    return status;
  }

  // One that is only about to start does not show yet.
  Runs seen_runs(const std::string& name) const {
    Runs found;
    for (const ContainerRun& run : input_.runs) {
      if (run.container != name || run.state == ContainerRun::State::created) continue;
      found.before = found.latest;
      found.latest = &run;
    }
    return found;
  }

  // No incarnation is known: it is still to come, or it was lost.
  void never_seen(Value& status, const Value& old) const {
    const bool has_init = input_.pod["spec"]["initContainers"].size() > 0;
    status.set("state", waiting_state(has_init ? "PodInitializing" : "ContainerCreating"));
    if (old.is_null()) return;
    if (old["state"].has("terminated")) {
      status = old;
      return;
    }
    status.set("restartCount", old["restartCount"].as_int());
    if (old["lastState"].size() > 0) status.set("lastState", old["lastState"]);
    if (!old["state"].has("running") || old["lastState"].has("terminated")) return;
    status.set("lastState", lost_state("The container could not be located when the pod was "
                                       "deleted.  The container used to be Running"));
    if (!model::is_deleting(input_.pod))
      status.set("restartCount", old["restartCount"].as_int() + 1);
  }

  void seen(Value& status, const Value& container, const Value& old, const Runs& runs) const {
    const ContainerRun& run = *runs.latest;
    const std::string id = input_.runtime + "://" + run.id;
    status.set("image", run.image.empty() ? container["image"] : Value(run.image));
    status.set("imageID", run.image_id);
    status.set("containerID", id);
    status.set("restartCount", run.attempt);
    status.set("state", state_of(run, id));
    if (runs.before != nullptr)
      status.set("lastState", state_of(*runs.before, input_.runtime + "://" + runs.before->id));
    else if (old["containerID"].as_string() != id && old["state"].has("terminated"))
      status.set("lastState", old["state"]);
    else if (old["lastState"].has("terminated"))
      status.set("lastState", old["lastState"]);
    status.set("resources",
               container["resources"].is_null() ? Value::object() : container["resources"]);
    if (container["resources"].has("requests"))
      status.set("allocatedResources", container["resources"]["requests"]);
    if (run.running() || run.exited())
      status.set("user", Value::object(
                             {{"linux", Value::object({{"uid", run.user}, {"gid", run.group}})}}));
  }

  // A container that is to start again shows why it has not yet.
  void maybe_waiting(Value& status, const Value& container, bool init, const Runs& runs) const {
    if (model::is_deleting(input_.pod)) return;
    const ContainerRun* run = runs.latest;
    if (run != nullptr) {
      if (run->running()) return;
      if (init && run->exited() && run->exit_code == 0 && !model::is_sidecar(container)) return;
      if (run->exited() && !should_restart(input_.pod, container, run->exit_code)) return;
    }
    const auto wait = input_.waits.find(container["name"].str());
    if (wait == input_.waits.end()) return;
    if (status["state"].has("terminated")) status.set("lastState", status["state"]);
    status.set("state", waiting_state(wait->second.reason, wait->second.message));
  }

  void set_ready(Value& status, const Value& container, bool init, const Runs& runs) const {
    const ContainerRun* run = runs.latest;
    const bool running = run != nullptr && run->running();
    status.set("started", running && input_.prober.is_started(input_.pod, *run));
    if (init && !model::is_sidecar(container))
      status.set("ready", status["state"].has("terminated") &&
                              status["state"]["terminated"]["exitCode"].as_int() == 0);
    else
      status.set("ready", running && input_.prober.is_ready(input_.pod, *run));
  }

  const StatusInput& input_;
};

// pkg/kubelet/kubelet_pods.go, getPhase. The counters keep its names.
struct PhaseCount {
  int pending_init = 0, pending_sidecar = 0, failed_for_good = 0;
  int unknown = 0, running = 0, waiting = 0, stopped = 0, stopped_for_good = 0, succeeded = 0;
};

const Value& last_end(const Value& status) {
  return status["lastState"]["terminated"];
}

void count_init(const StatusInput& input, const Value& statuses, PhaseCount& count) {
  for (const Value& container : input.pod["spec"]["initContainers"].elements()) {
    const Value& status = status_named(statuses, container["name"].as_string());
    const Value& state = status["state"];
    if (model::is_sidecar(container)) {
      if (state.has("running")) {
        if (!status["started"].as_bool()) count.pending_sidecar++;
        count.running++;
      } else if (state.has("waiting") && last_end(status).is_null()) {
        count.pending_sidecar++;
        count.waiting++;
      } else if (status.is_null()) {
        count.unknown++;
      }
      continue;
    }
    const Value& end = state.has("terminated") ? state["terminated"] : last_end(status);
    if (state.has("running") || end.is_null()) {
      count.pending_init++;
    } else if (const int code = static_cast<int>(end["exitCode"].as_int()); code != 0) {
      if (!should_restart(input.pod, container, code)) count.failed_for_good++;
    }
  }
}

void count_regular(const StatusInput& input, const Value& statuses, PhaseCount& count) {
  for (const Value& container : input.pod["spec"]["containers"].elements()) {
    const Value& status = status_named(statuses, container["name"].as_string());
    const Value& state = status["state"];
    if (state.has("running")) {
      count.running++;
      continue;
    }
    const Value& end = state.has("terminated") ? state["terminated"] : last_end(status);
    if (end.is_null()) {
      (status.is_null() ? count.unknown : count.waiting)++;
      continue;
    }
    const int code = static_cast<int>(end["exitCode"].as_int());
    count.stopped++;
    if (!should_restart(input.pod, container, code)) count.stopped_for_good++;
    if (state.has("terminated") && code == 0) count.succeeded++;
  }
}

bool any_regular_ran(const StatusInput& input) {
  for (const Value& container : input.pod["spec"]["containers"].elements())
    if (runs_of(input.runs, container["name"].as_string()).latest != nullptr) return true;
  return false;
}

std::string_view phase_of(const StatusInput& input, const Value& init, const Value& regular) {
  PhaseCount count;
  count_init(input, init, count);
  count_regular(input, regular, count);
  if (count.failed_for_good > 0) return "Failed";
  const bool pending =
      count.pending_init > 0 || (count.pending_sidecar > 0 && !any_regular_ran(input));
  if (pending || count.waiting > 0) return "Pending";
  if (count.running > 0 && count.unknown == 0) return "Running";
  if (count.running == 0 && count.stopped > 0 && count.unknown == 0) {
    const bool all_succeeded = count.stopped == count.succeeded;
    if (!input.terminal && count.stopped != count.stopped_for_good) return "Running";
    return all_succeeded ? "Succeeded" : "Failed";
  }
  return "Pending";
}

bool is_terminal(std::string_view phase) {
  return phase == "Succeeded" || phase == "Failed";
}

struct Condition {
  bool status = true;
  std::string reason, message;
};

Condition terminal_condition(std::string_view phase) {
  return {false, phase == "Failed" ? "PodFailed" : "PodCompleted", ""};
}

std::string complaint(const std::vector<std::string>& unknown, const std::vector<std::string>& bad,
                      std::string_view word) {
  std::vector<std::string> parts;
  if (!unknown.empty()) parts.push_back("containers with unknown status: " + go_list(unknown));
  if (!bad.empty())
    parts.push_back("containers with " + std::string(word) + " status: " + go_list(bad));
  return join(parts, ", ");
}

Condition containers_ready(const StatusInput& input, const Value& init, const Value& regular,
                           std::string_view phase) {
  std::vector<std::string> unknown, unready;
  const auto look = [&](const Value& container, const Value& statuses) {
    const Value& status = status_named(statuses, container["name"].as_string());
    if (status.is_null())
      unknown.push_back(container["name"].str());
    else if (!status["ready"].as_bool())
      unready.push_back(container["name"].str());
  };
  for (const Value& container : input.pod["spec"]["initContainers"].elements())
    if (model::is_sidecar(container)) look(container, init);
  for (const Value& container : input.pod["spec"]["containers"].elements())
    look(container, regular);
  if (phase == "Failed" || (phase == "Succeeded" && unknown.empty()))
    return terminal_condition(phase);
  const std::string message = complaint(unknown, unready, "unready");
  if (!message.empty()) return {false, "ContainersNotReady", message};
  return {};
}

Condition pod_ready(const StatusInput& input, const Condition& containers) {
  if (!containers.status) return containers;
  std::vector<std::string> messages;
  for (const Value& gate : input.pod["spec"]["readinessGates"].elements()) {
    const std::string type = gate["conditionType"].str();
    const Value& condition = model::condition_of(input.pod, type);
    if (condition.is_null())
      messages.push_back("corresponding condition of pod readiness gate " + quote(type) +
                         " does not exist.");
    else if (condition["status"].as_string() != "True")
      messages.push_back("the status of pod readiness gate " + quote(type) +
                         " is not \"True\", but " + condition["status"].str());
  }
  if (!messages.empty()) return {false, "ReadinessGatesNotReady", join(messages, ", ")};
  return {};
}

Condition initialized(const StatusInput& input, const Value& init, const Value& regular,
                      std::string_view phase) {
  std::vector<std::string> unknown, incomplete;
  for (const Value& container : input.pod["spec"]["initContainers"].elements()) {
    const Value& status = status_named(init, container["name"].as_string());
    const std::string_view proof = model::is_sidecar(container) ? "started" : "ready";
    if (status.is_null())
      unknown.push_back(container["name"].str());
    else if (!status[proof].as_bool())
      incomplete.push_back(container["name"].str());
  }
  if (phase == "Succeeded" && unknown.empty()) return {true, "PodCompleted", ""};
  for (const Value& status : regular.elements())
    if (status["state"].has("running") || status["state"].has("terminated")) return {};
  const std::string message = complaint(unknown, incomplete, "incomplete");
  if (!message.empty()) return {false, "ContainersNotInitialized", message};
  return {};
}

Value to_value(std::string_view type, const Condition& condition, const StatusInput& input) {
  Value value = Value::object({{"type", type},
                               {"status", condition.status ? "True" : "False"},
                               {"lastProbeTime", nullptr}});
  if (const std::int64_t generation = model::generation_of(input.pod); generation > 0)
    value.set("observedGeneration", generation);
  if (!condition.reason.empty()) value.set("reason", condition.reason);
  if (!condition.message.empty()) value.set("message", condition.message);
  return model::condition_after(input.pod, std::move(value), input.now);
}

bool is_own(const Value& condition) {
  return std::find(kOwnConditions.begin(), kOwnConditions.end(), condition["type"].as_string()) !=
         kOwnConditions.end();
}

Value conditions_of(const StatusInput& input, const Value& init, const Value& regular,
                    std::string_view phase) {
  Value conditions = Value::array();
  for (const Value& condition : input.pod["status"]["conditions"].elements())
    if (!is_own(condition)) conditions.push_back(condition);
  const Condition ready = containers_ready(input, init, regular, phase);
  const bool has_sandbox = input.sandbox.state == Sandbox::State::ready;
  conditions.push_back(to_value("PodReadyToStartContainers", {has_sandbox, "", ""}, input));
  conditions.push_back(to_value("Initialized", initialized(input, init, regular, phase), input));
  conditions.push_back(to_value("Ready", pod_ready(input, ready), input));
  conditions.push_back(to_value("ContainersReady", ready, input));
  conditions.push_back(to_value("PodScheduled", {}, input));
  return conditions;
}

void set_addresses(const StatusInput& input, Value& status) {
  const auto list = [](const std::string& address) {
    return Value::array({Value::object({{"ip", address}})});
  };
  if (!input.host_address.empty()) {
    status.set("hostIP", input.host_address);
    status.set("hostIPs", list(input.host_address));
  }
  std::string address = input.sandbox.address;
  // The address of a pod that has ended stays readable.
  if (address.empty()) address = input.pod["status"]["podIP"].str();
  if (address.empty() && uses_host_network(input.pod)) address = input.host_address;
  if (address.empty()) return;
  status.set("podIP", address);
  status.set("podIPs", list(address));
}

// Containers that never came to an end that anyone saw: a pod that is over reports them as failed.
void close_statuses(Value& statuses) {
  for (std::size_t i = 0; i < statuses.size(); i++) {
    if (!statuses[i]["state"].has("running")) continue;
    statuses.edit(i).set("state", lost_state("The container could not be located when the pod was "
                                             "terminated"));
  }
}

}  // namespace

Value pod_status(const StatusInput& input) {
  const Value& old = input.pod["status"];
  Statuses statuses(input);
  Value init = statuses.of_list("initContainers", "initContainerStatuses");
  Value regular = statuses.of_list("containers", "containerStatuses");
  Value ephemeral = statuses.of_list("ephemeralContainers", "ephemeralContainerStatuses");
  if (input.terminal) {
    close_statuses(init);
    close_statuses(regular);
  }
  std::string phase(phase_of(input, init, regular));
  if (input.terminal && !is_terminal(phase)) phase = "Failed";
  const std::string old_phase = old["phase"].str();
  // A pod is not over while anything of it may still run.
  const bool running = std::any_of(input.runs.begin(), input.runs.end(),
                                   [](const ContainerRun& run) { return run.running(); });
  if (running && is_terminal(phase)) phase = old_phase.empty() ? "Pending" : old_phase;
  if (is_terminal(old_phase)) phase = old_phase;

  Value status = Value::object();
  if (phase == old_phase) {
    if (old.has("reason")) status.set("reason", old["reason"]);
    if (old.has("message")) status.set("message", old["message"]);
  }
  if (input.deadline_exceeded && !is_terminal(old_phase)) {
    phase = "Failed";
    status.set("reason", "DeadlineExceeded");
    status.set("message", "Pod was active on the node longer than the specified deadline");
  }
  status.set("phase", phase);
  status.set("conditions", conditions_of(input, init, regular, phase));
  set_addresses(input, status);
  status.set("startTime", old.has("startTime") ? old["startTime"] : Value(to_rfc3339(input.now)));
  status.set("qosClass", old.has("qosClass") ? old["qosClass"] : Value(qos_class_of(input.pod)));
  if (const std::int64_t generation = model::generation_of(input.pod); generation > 0)
    status.set("observedGeneration", generation);
  status.set("containerStatuses", std::move(regular));
  if (init.size() > 0) status.set("initContainerStatuses", std::move(init));
  if (ephemeral.size() > 0) status.set("ephemeralContainerStatuses", std::move(ephemeral));
  return status;
}

Value status_patch(const Value& before, const Value& after) {
  Value patch = Value::object();
  for (const codec::Member& member : after.members())
    if (!(before[member.key()] == member.value)) patch.set(member.key(), member.value);
  for (const std::string_view gone : {"reason", "message", "podIP", "podIPs"})
    if (before.has(gone) && !after.has(gone)) patch.set(gone, nullptr);
  if (patch.empty()) return {};
  return Value::object({{"status", std::move(patch)}});
}

}  // namespace keelson::node
