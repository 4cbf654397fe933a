// Addresses come from 10.128.0.0/9, in order and never twice.
#include "node/simulated_driver.h"

#include <csignal>
#include <utility>

#include "base/text.h"
#include "model/meta.h"

namespace keelson::node {

SimulatedDriver::SimulatedDriver(cluster::Cluster& cluster, ModelOf model_of)
    : cluster_(cluster), model_of_(std::move(model_of)) {}

void SimulatedDriver::after(Duration delay, std::function<void()> call) {
  if (delay == Duration()) return call();
  const std::uint64_t number = timers_made_++;
  timers_[number] = cluster_.call_at(cluster_.now() + delay, [this, number, call] {
    const std::shared_ptr<void> own = std::move(timers_[number]);
    timers_.erase(number);
    call();
  });
}

void SimulatedDriver::recover(std::function<void(Result<std::vector<RecoveredPod>>)> done) {
  std::vector<RecoveredPod> pods;
  for (const auto& [uid, pod] : pods_) pods.push_back(pod);
  done(std::move(pods));
}

void SimulatedDriver::set_up_volumes(const Value&, const std::vector<Volume>&,
                                     std::function<void(Result<void>)> done) {
  done(Result<void>());
}

void SimulatedDriver::create_sandbox(const Value& pod, int attempt,
                                     std::function<void(Result<Sandbox>)> done) {
  const PodModel model = model_of_(pod, pod["spec"]["containers"][0]);
  Sandbox sandbox;
  sandbox.state = Sandbox::State::ready;
  sandbox.id = std::string(model::uid_of(pod)) + "-" + std::to_string(attempt);
  const std::uint32_t n = ++addresses_;
  sandbox.address = "10." + std::to_string(128 + (n >> 16 & 127)) + "." +
                    std::to_string(n >> 8 & 255) + "." + std::to_string(n & 255);
  RecoveredPod& known = pods_[std::string(model::uid_of(pod))];
  known.pod = pod;
  known.sandbox = sandbox;
  after(model.sandbox_time, [sandbox, done] { done(sandbox); });
}

void SimulatedDriver::start(ContainerRequest request,
                            std::function<void(Result<StartedContainer>)> done) {
  const PodModel model = model_of_(request.pod, request.container);
  ContainerRun run{.container = request.container["name"].str(),
                   .id = request.run_id,
                   .attempt = request.attempt,
                   .sandbox_attempt = request.sandbox.attempt,
                   .image = request.image.name,
                   .image_id = request.image.id,
                   .created_at = cluster_.now()};
  const std::string uid(model::uid_of(request.pod));
  after(model.start_time, [this, model, id = request.run_id, uid, run, done]() mutable {
    run.state = ContainerRun::State::running;
    run.started_at = cluster_.now();
    if (const auto pod = pods_.find(uid); pod != pods_.end()) pod->second.runs.push_back(run);
    Running& running = running_[id];
    running.model = model;
    running.started_at = cluster_.now();
    if (model.run_time != Duration::max())
      running.timer = cluster_.call_at(running.started_at + model.run_time,
                                       [this, id, model] { exit(id, model.exit_code, 0); });
    done(StartedContainer{});
  });
}

void SimulatedDriver::exit(const std::string& run_id, int code, int signal) {
  const auto at = running_.find(run_id);
  if (at == running_.end()) return;
  const Running last = std::move(at->second);
  running_.erase(at);
  for (auto& [uid, pod] : pods_)
    for (ContainerRun& run : pod.runs)
      if (run.id == run_id) {
        run.state = ContainerRun::State::exited;
        run.finished_at = cluster_.now();
        run.exit_code = code;
        run.signal = signal;
        run.reason = code == 0 ? "Completed" : "Error";
      }
  on_exit_(run_id, {.code = code, .signal = signal, .message = {}, .at = cluster_.now()});
}

bool SimulatedDriver::crash(const std::string& run_id, int exit_code) {
  if (!running_.contains(run_id)) return false;
  exit(run_id, exit_code, 0);
  return true;
}

void SimulatedDriver::set_failing(const std::string& run_id, bool failing) {
  if (const auto at = running_.find(run_id); at != running_.end()) at->second.failing = failing;
}

void SimulatedDriver::consume(const std::string& run_id, Duration cpu) {
  if (const auto at = running_.find(run_id); at != running_.end()) at->second.used.cpu += cpu;
}

void SimulatedDriver::set_memory(const std::string& run_id, std::int64_t bytes) {
  if (const auto at = running_.find(run_id); at != running_.end()) at->second.used.memory = bytes;
}

void SimulatedDriver::signal(const std::string& run_id, int signal) {
  const auto at = running_.find(run_id);
  if (at == running_.end()) return;
  if (signal == SIGKILL) {
    after(Duration::milliseconds(1), [this, run_id] { exit(run_id, 137, SIGKILL); });
    return;
  }
  Running& running = at->second;
  if (running.stopping || running.model.stop_time == Duration::max()) return;
  running.stopping = true;
  running.timer =
      cluster_.call_at(cluster_.now() + running.model.stop_time,
                       [this, run_id, code = running.model.stop_code] { exit(run_id, code, 0); });
}

void SimulatedDriver::remove_container(const Value& pod, const std::string& run_id) {
  if (const auto at = pods_.find(std::string(model::uid_of(pod))); at != pods_.end())
    std::erase_if(at->second.runs, [&](const ContainerRun& run) { return run.id == run_id; });
}

void SimulatedDriver::tear_down(const Value& pod, const Sandbox&, std::function<void()> done) {
  pods_.erase(std::string(model::uid_of(pod)));
  done();
}

bool SimulatedDriver::is_healthy(const std::string& run_id) const {
  const auto at = running_.find(run_id);
  if (at == running_.end() || at->second.failing) return false;
  const Duration warm_up = at->second.model.warm_up;
  return warm_up != Duration::max() && cluster_.now() >= at->second.started_at + warm_up;
}

void SimulatedDriver::exec(const std::string& run_id, std::vector<std::string>, Duration,
                           std::function<void(Result<ExecOutcome>)> done) {
  const auto at = running_.find(run_id);
  if (at == running_.end()) return done(Error{Reason::not_found, "container not running"});
  after(at->second.model.probe_time, [this, run_id, done] {
    done(ExecOutcome{.code = is_healthy(run_id) ? 0 : 1, .output = {}});
  });
}

void SimulatedDriver::probe(const NetworkProbe& probe, std::function<void(ProbeOutcome)> done) {
  using Verdict = ProbeOutcome::Verdict;
  const auto at = running_.find(probe.run_id);
  const Duration time =
      at == running_.end() ? Duration::milliseconds(1) : at->second.model.probe_time;
  after(time, [this, id = probe.run_id, kind = probe.kind, done] {
    if (is_healthy(id)) return done({Verdict::success, {}});
    done({Verdict::failure, kind == NetworkProbe::Kind::http
                                ? "HTTP probe failed with statuscode: 503"
                                : "connection refused"});
  });
}

std::optional<Usage> SimulatedDriver::usage(const std::string& run_id) {
  const auto at = running_.find(run_id);
  if (at == running_.end()) return std::nullopt;
  return at->second.used;
}

void SimulatedImages::ensure(const Value&, const Value& container, OnImage done) {
  const std::string name = container["image"].str();
  ImageOutcome outcome;
  outcome.ok = true;
  outcome.notices.push_back({false, "Pulled",
                             "Container image " + quote(name) +
                                 " already present on machine and can be accessed by the pod"});
  Image image;
  image.name = name;
  image.id = "simulated:" + name;
  done(std::move(outcome), std::move(image));
}

}  // namespace keelson::node
