// Finding again what an earlier engine process left running: records on disk say what there is,
// the keeper says what is alive.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "codec/json.h"
#include "model/meta.h"
#include "node/linux/crun_driver.h"
#include "node/pod_spec.h"

namespace keelson::node {
namespace {

Value read_json(const std::string& path) {
  const auto parsed = codec::parse_json(read_whole(path));
  return parsed.ok() ? *parsed : Value();
}

}  // namespace

void CrunDriver::recover(std::function<void(Result<std::vector<RecoveredPod>>)> done) {
  for (const std::string_view part : {"", "/pods", "/logs", "/crun", "/images"})
    if (const auto made = make_directory(disk_.root() + std::string(part), 0700); !made.ok())
      return done(made.error());
  cgroups_.make("/keelson/" + options_.name, 1024);
  trash_.empty();
  keeper_.start([this, alive = alive_, done = std::move(done)](Result<void> started) {
    if (!*alive) return;
    if (!started.ok()) return done(started.error());
    if (needs_privileges() && !keeper_.unprivileged().empty())
      return done(Error{Reason::forbidden,
                        "containers need mounts of their own: " + keeper_.unprivileged()});
    keeper_.call(Value::object({{"op", "list"}}), [this, alive, done](Result<Value> listed) {
      if (!*alive) return;
      if (!listed.ok()) return done(listed.error());
      std::vector<RecoveredPod> pods;
      adopt_found(*listed, pods);
      done(std::move(pods));
    });
  });
}

void CrunDriver::adopt_found(const Value& listed, std::vector<RecoveredPod>& out) {
  std::vector<std::string> alive;
  for (const Value& run : listed["runs"].elements()) alive.push_back(run.str());
  const std::string boot = read_whole("/proc/sys/kernel/random/boot_id", 64);
  for (const std::string& uid : names_in(disk_.root() + "/pods")) {
    const Value stored = read_json(disk_.pod(uid) + "/sandbox.json");
    // Never finished, or of before the machine started: there is nothing to go on with.
    if (!stored.is_object() || stored["boot"].as_string() != boot) {
      cgroups_.remove(cgroup_of_pod(uid));
      trash_.put(disk_.pod(uid));
      continue;
    }
    out.push_back(read_pod(uid, alive));
  }
}

RecoveredPod CrunDriver::read_pod(const std::string& uid, const std::vector<std::string>& alive) {
  RecoveredPod found;
  const std::string directory = disk_.pod(uid);
  found.pod = read_json(directory + "/pod.json");
  const Value stored = read_json(directory + "/sandbox.json");
  for (const std::string& name : names_in(directory + "/c"))
    if (ContainerRun run = read_run(uid, directory + "/c/" + name, alive); !run.id.empty())
      found.runs.push_back(std::move(run));
  std::sort(found.runs.begin(), found.runs.end(), [](const auto& a, const auto& b) {
    return std::pair(a.created_at, a.attempt) < std::pair(b.created_at, b.attempt);
  });

  PodRecord& record = pods_[uid];
  record.pod = found.pod;
  record.attached = stored["attached"].as_bool();
  record.attachment.network_namespace = stored["network"].str();
  record.attachment.address = stored["address"].str();
  record.attachment.reachable = stored["reachable"].as_bool();
  if (record.attached) network_.adopt(found.pod, record.attachment);
  for (const Value& volume : found.pod["spec"]["volumes"].elements())
    if (volume["emptyDir"]["medium"].as_string() == "Memory")
      record.memory_mounts.push_back(disk_.volume(uid, volume["name"].as_string()));

  Sandbox& sandbox = found.sandbox;
  sandbox.id = stored["id"].str();
  sandbox.attempt = static_cast<int>(stored["attempt"].as_int());
  sandbox.address = stored["address"].str();
  const bool own_network = record.attached && record.attachment.network_namespace.empty();
  if (record.attached && !record.attachment.reachable)
    sandbox.network_namespace =
        own_network ? keeper_.seen(directory + "/ns/net") : record.attachment.network_namespace;
  // The namespaces are kept by mounts in the keeper's mount namespace.
  struct stat here {
  }, root{};
  const bool kept = ::stat(keeper_.seen(directory + "/ns/ipc").c_str(), &here) == 0 &&
                    ::stat(directory.c_str(), &root) == 0 && here.st_dev != root.st_dev;
  const auto running = std::find_if(found.runs.begin(), found.runs.end(),
                                    [](const ContainerRun& run) { return run.running(); });
  sandbox.state =
      kept || running != found.runs.end() ? Sandbox::State::ready : Sandbox::State::gone;
  if (!kept && running != found.runs.end()) {
    // Our keeper is a new one: take the namespaces from a container that still lives in them.
    const std::string pid = read_whole(disk_.container(uid, running->id) + "/pid", 32);
    keeper_.call(Value::object({{"op", "sandbox"},
                                {"dir", directory + "/ns"},
                                {"from_pid", parse_int(pid).value_or(-1)},
                                {"own_network", record.attached}}),
                 [](Result<Value>) {});
  }
  if (sandbox.state == Sandbox::State::gone) sandbox.attempt++;
  record.sandbox = sandbox;
  return found;
}

ContainerRun CrunDriver::read_run(const std::string& uid, const std::string& directory,
                                  const std::vector<std::string>& alive) {
  const Value state = read_json(directory + "/state.json");
  ContainerRun run;
  run.id = state["id"].str();
  if (run.id.empty()) return run;
  run.container = state["container"].str();
  run.attempt = static_cast<int>(state["attempt"].as_int());
  run.sandbox_attempt = static_cast<int>(state["sandbox"].as_int());
  run.image = state["image"].str();
  run.image_id = state["image_id"].str();
  run.user = state["user"].as_int();
  run.group = state["group"].as_int();
  run.created_at = run.started_at = Instant::unix_nanoseconds(state["started"].as_int());

  RunRecord record;
  record.uid = uid;
  record.directory = directory;
  record.cgroup = cgroup_of_pod(uid) + "/" + run.id.substr(0, 12);
  record.terminal = state["terminal"].as_bool();
  record.stand_in = state["stand_in"].as_bool();
  record.fallback_log = state["fallback_log"].str();
  record.state = state;

  runs_[run.id] = record;
  const Value exit = read_json(directory + "/exit");
  if (exit.is_object()) {
    run.state = ContainerRun::State::exited;
    run.exit_code = static_cast<int>(exit["code"].as_int());
    run.signal = static_cast<int>(exit["signal"].as_int());
    run.finished_at = Instant::unix_nanoseconds(exit["at"].as_int());
    run.reason = exit["out_of_memory"].as_bool() ? "OOMKilled"
                 : exit["unknown"].as_bool()     ? "ContainerStatusUnknown"
                 : run.exit_code == 0            ? "Completed"
                                                 : "Error";
    if (exit["unknown"].as_bool()) run.exit_code = 137;
    run.message = termination_message(record, run.exit_code != 0);
  } else if (std::find(alive.begin(), alive.end(), run.id) != alive.end()) {
    run.state = ContainerRun::State::running;
  } else if (const auto pid = parse_int(trim(read_whole(directory + "/pid", 32)));
             pid && ::kill(static_cast<pid_t>(*pid), 0) == 0 &&
             read_whole("/proc/" + std::to_string(*pid) + "/cgroup").find(record.cgroup) !=
                 std::string::npos) {
    run.state = ContainerRun::State::running;
    keeper_.call(adoption(run.id, static_cast<int>(*pid)), [](Result<Value>) {});
  } else {
    // It ended and nobody saw how.
    run.state = ContainerRun::State::exited;
    run.exit_code = 137;
    run.reason = "ContainerStatusUnknown";
    run.message = "The container could not be located when the pod was terminated";
    run.finished_at = loop_.now();
  }
  return run;
}

// What a new keeper must know of a container that it did not start.
Value CrunDriver::adoption(const std::string& run_id, int pid) const {
  const auto at = runs_.find(run_id);
  Value cleanup = Value::array();
  for (const std::string& word : crun({"delete", "--force", run_id})) cleanup.push_back(word);
  Value request = Value::object(
      {{"op", "adopt"}, {"run", run_id}, {"pid", pid}, {"cleanup", std::move(cleanup)}});
  if (at == runs_.end()) return request;
  const RunRecord& record = at->second;
  request.set("dir", record.directory);
  request.set("oom_file", cgroups_.oom_file(record.cgroup));
  const auto pod = pods_.find(record.uid);
  const Value object = pod != pods_.end() && !pod->second.pod.is_null()
                           ? pod->second.pod
                           : read_json(disk_.pod(record.uid) + "/pod.json");
  request.set("log", disk_.log(object, record.state["container"].as_string(),
                               static_cast<int>(record.state["attempt"].as_int())));
  return request;
}

// The keeper was killed and another runs: hand it what still runs, report what does not.
void CrunDriver::on_replaced() {
  std::vector<std::pair<std::string, RunRecord>> known(runs_.begin(), runs_.end());
  for (const auto& [run_id, record] : known) {
    if (::access((record.directory + "/exit").c_str(), F_OK) == 0) continue;
    const auto pid = parse_int(trim(read_whole(record.directory + "/pid", 32)));
    const bool alive = pid && ::kill(static_cast<pid_t>(*pid), 0) == 0;
    if (alive) {
      keeper_.call(Value::object({{"op", "sandbox"},
                                  {"dir", disk_.pod(record.uid) + "/ns"},
                                  {"from_pid", *pid},
                                  {"own_network", pods_[record.uid].attached}}),
                   [](Result<Value>) {});
      keeper_.call(adoption(run_id, static_cast<int>(*pid)), [](Result<Value>) {});
    } else if (on_exit_) {
      on_exit_(run_id, {.code = 137, .unknown = true, .message = {}, .at = loop_.now()});
    }
  }
}

}  // namespace keelson::node
