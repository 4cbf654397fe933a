// Starting: volumes, sandbox, init containers, containers; and what outcomes mean.
#include "node/pod_machine.h"

#include <algorithm>

#include "base/check.h"
#include "base/prng.h"
#include "base/text.h"
#include "model/meta.h"
#include "node/pod_spec.h"

namespace keelson::node {
namespace {

constexpr Duration kBackoffFirst = Duration::seconds(10);
constexpr Duration kBackoffMax = Duration::seconds(300);
constexpr Duration kRetry = Duration::seconds(10);
constexpr Duration kMountFirst = Duration::milliseconds(500);
constexpr Duration kMountMax = Duration::seconds(122);
// How long a first pull failure shows before it reads "back-off".
constexpr Duration kPullErrorShown = Duration::seconds(2);

Action action(Action::Kind kind) {
  return Action{.kind = kind};
}

void wake(Decision& decision, Instant at) {
  decision.wake_at = std::min(decision.wake_at, at);
}

}  // namespace

bool Decision::changed() const {
  return !notices.empty() || std::any_of(actions.begin(), actions.end(), [](const Action& each) {
    return each.kind != Action::Kind::probe;
  });
}

PodMachine::PodMachine(Options options, Value pod, Instant now)
    : options_(std::move(options)), pod_(std::move(pod)), first_seen_(now) {}

void PodMachine::adopt(Sandbox sandbox, std::vector<ContainerRun> runs, Instant now) {
  sandbox_ = std::move(sandbox);
  runs_ = std::move(runs);
  if (sandbox_.state == Sandbox::State::ready) volumes_ = Stage::none;  // written again, unharmed
  for (const ContainerRun& run : runs_) {
    if (!run.running()) continue;
    for (const std::string_view list : {"containerStatuses", "initContainerStatuses"})
      for (const Value& status : pod_["status"][list].elements())
        if (status["name"].as_string() == run.container &&
            status["containerID"].as_string().ends_with(run.id))
          prober_.adopt(pod_, run, status["started"].as_bool(), status["ready"].as_bool(), now);
  }
}

Decision PodMachine::step(Instant now) {
  Decision decision;
  check_deadline(decision, now);
  if (is_ending())
    wind_down(decision, now);
  else
    advance(decision, now);
  // advance() may have found that every container ran to its end.
  if (finished_ && teardown_ == Stage::none) wind_down(decision, now);
  advance_kills(decision, now);
  for (ProbeStart& probe : prober_.step(pod_, runs_, is_ending(), now)) {
    Action run = action(Action::Kind::probe);
    run.run_id = std::move(probe.run_id);
    run.probe = probe.kind;
    decision.actions.push_back(std::move(run));
  }
  wake(decision, prober_.next_at());
  forget_old_runs(decision);
  decision.notices.insert(decision.notices.begin(), pending_.notices.begin(),
                          pending_.notices.end());
  decision.actions.insert(decision.actions.begin(), pending_.actions.begin(),
                          pending_.actions.end());
  pending_ = {};
  return decision;
}

Value PodMachine::status(Instant now) const {
  return pod_status({.pod = pod_,
                     .sandbox = sandbox_,
                     .runs = runs_,
                     .prober = prober_,
                     .waits = waits_,
                     .host_address = options_.host_address,
                     .runtime = options_.runtime,
                     .terminal = is_over(),
                     .deadline_exceeded = deadline_exceeded_ && is_over(),
                     .now = now});
}

bool PodMachine::is_ending() const {
  return model::is_deleting(pod_) || deadline_exceeded_ || finished_ ||
         model::pod_is_finished(pod_);
}

void PodMachine::check_deadline(Decision& decision, Instant now) {
  const Value& limit = pod_["spec"]["activeDeadlineSeconds"];
  if (!limit.is_integer() || is_ending()) return;
  const Value& start = pod_["status"]["startTime"];
  const Instant since = start.is_null() ? first_seen_ : model::time_of(start);
  const Instant end = since + Duration::seconds(limit.as_int());
  if (now < end) return wake(decision, end);
  deadline_exceeded_ = true;
  decision.notices.push_back(
      {false, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"});
}

// Volumes and sandbox; true once both are there.
bool PodMachine::prepare(Decision& decision, Instant now) {
  if (volumes_ == Stage::failed && volumes_retry_at_ <= now) volumes_ = Stage::none;
  if (volumes_ == Stage::failed) wake(decision, volumes_retry_at_);
  if (volumes_ == Stage::none) {
    volumes_ = Stage::busy;
    decision.actions.push_back(action(Action::Kind::set_up_volumes));
  }
  if (volumes_ != Stage::done) return false;
  using State = Sandbox::State;
  if (sandbox_.state == State::none && !sandbox_retry_at_.is_zero() && now < sandbox_retry_at_) {
    wake(decision, sandbox_retry_at_);
    return false;
  }
  if (sandbox_.state == State::none || sandbox_.state == State::gone) {
    if (sandbox_.state == State::gone)
      decision.notices.push_back(
          {false, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created."});
    sandbox_.state = State::creating;
    Action create = action(Action::Kind::create_sandbox);
    create.attempt = sandbox_.attempt;
    decision.actions.push_back(std::move(create));
  }
  return sandbox_.state == State::ready;
}

void PodMachine::advance(Decision& decision, Instant now) {
  if (!prepare(decision, now)) return;
  std::vector<std::string> to_start;
  for (const Value& container : pod_["spec"]["ephemeralContainers"].elements())
    if (runs_of(runs_, container["name"].as_string()).latest == nullptr)
      to_start.push_back(container["name"].str());
  if (advance_init(decision, now, to_start)) {
    bool any_left = false;
    for (const Value& container : pod_["spec"]["containers"].elements()) {
      const std::string name = container["name"].str();
      const ContainerRun* run = runs_of(runs_, name).latest;
      if (run != nullptr && (run->running() || run->state == ContainerRun::State::created)) {
        any_left = true;
        if (run->running()) check_probes(decision, now, *run, false);
      } else if (run == nullptr || !run->exited() ||
                 should_restart(pod_, container, run->exit_code)) {
        any_left = true;
        to_start.push_back(name);
      }
    }
    if (!any_left) {
      finished_ = true;
      return;
    }
  }
  if (!finished_) start_next(decision, now, to_start);
}

// Adds the init containers to start now; true if the others may run.
bool PodMachine::advance_init(Decision& decision, Instant now, std::vector<std::string>& to_start) {
  const auto& list = pod_["spec"]["initContainers"].elements();
  const auto run_here = [&](const Value& container) {
    const ContainerRun* run = runs_of(runs_, container["name"].as_string()).latest;
    return run != nullptr && run->sandbox_attempt == sandbox_.attempt ? run : nullptr;
  };
  bool others_ran = false;
  for (const Value& container : pod_["spec"]["containers"].elements())
    if (run_here(container) != nullptr) others_ran = true;
  for (std::size_t i = 0; i < list.size(); i++) {
    const Value& container = list[i];
    const std::string name = container["name"].str();
    const ContainerRun* run = run_here(container);
    bool later_ran = others_ran;
    for (std::size_t j = i + 1; j < list.size(); j++)
      if (run_here(list[j]) != nullptr) later_ran = true;
    if (model::is_sidecar(container)) {
      const bool running = run != nullptr && run->running();
      if (running) check_probes(decision, now, *run, true);
      const bool busy = run != nullptr && run->state == ContainerRun::State::created;
      if (!running && !busy) to_start.push_back(name);
      if (!later_ran && !(running && prober_.is_started(pod_, *run))) return false;
      continue;
    }
    if (others_ran || later_ran) continue;
    if (run == nullptr) {
      to_start.push_back(name);
      return false;
    }
    if (run->running() || run->state == ContainerRun::State::created) return false;
    if (run->exited() && run->exit_code == 0) continue;
    if (run->exited() && !should_restart(pod_, container, run->exit_code)) {
      finished_ = true;
      return false;
    }
    to_start.push_back(name);
    return false;
  }
  return true;
}

// Kills a container that failed its liveness or startup probe. False if it is on its way out.
bool PodMachine::check_probes(Decision& decision, Instant now, const ContainerRun& run, bool init) {
  if (kills_.contains(run.id)) return false;
  const Value& container = container_named(pod_, run.container);
  for (const ProbeKind kind : {ProbeKind::liveness, ProbeKind::startup}) {
    if (prober_.verdict(run.id, kind) != false) continue;
    std::string message =
        (init ? "Init container " : "Container ") + run.container +
        (kind == ProbeKind::liveness ? " failed liveness probe" : " failed startup probe");
    const std::string_view policy = container.has("restartPolicy")
                                        ? container["restartPolicy"].as_string()
                                        : pod_["spec"]["restartPolicy"].as_string();
    if (!init && policy != "Never") message += ", will be restarted";
    Duration grace = grace_of(pod_);
    const Value& own = container[field_of(kind)]["terminationGracePeriodSeconds"];
    if (own.is_integer()) grace = Duration::seconds(own.as_int());
    begin_kill(decision, now, run, std::move(message), grace, false);
    return false;
  }
  return true;
}

void PodMachine::start_next(Decision& decision, Instant now,
                            const std::vector<std::string>& to_start) {
  if (start_.has_value()) return;
  for (const std::string& container : to_start) {
    if (const auto at = retry_at_.find(container); at != retry_at_.end()) {
      if (now < at->second) {
        wake(decision, at->second);
        continue;
      }
      retry_at_.erase(at);
    }
    if (is_held_back(decision, now, container)) continue;
    if (image_is_held_back(decision, now, container)) continue;
    start_ = Start{Start::Step::image, container, {}};
    Action ensure = action(Action::Kind::ensure_image);
    ensure.container = container;
    decision.actions.push_back(std::move(ensure));
    return;
  }
}

bool PodMachine::is_held_back(Decision& decision, Instant now, const std::string& container) {
  const ContainerRun* run = runs_of(runs_, container).latest;
  if (run == nullptr || !run->exited()) return false;
  if (in_backoff(crash_backoffs_, container, run->finished_at, now)) {
    const Backoff& backoff = crash_backoffs_.at(container);
    WaitReason& wait = waits_[container];
    if (wait.reason != "CrashLoopBackOff") {
      wait = {"CrashLoopBackOff", "back-off " + to_text(backoff.delay) +
                                      " restarting failed container=" + container +
                                      " pod=" + pod_text(pod_)};
      decision.notices.push_back(
          {true, "BackOff",
           "Back-off restarting failed container " + container + " in pod " + pod_text(pod_),
           container});
    }
    wake(decision, run->finished_at + backoff.delay);
    return true;
  }
  back_off(crash_backoffs_, container, run->finished_at, now);
  return false;
}

bool PodMachine::image_is_held_back(Decision& decision, Instant now, const std::string& container) {
  const std::string image = container_named(pod_, container)["image"].str();
  const auto at = image_backoffs_.find(image);
  if (at == image_backoffs_.end()) return false;
  if (!in_backoff(image_backoffs_, image, at->second.updated_at, now)) return false;
  wake(decision, at->second.updated_at + at->second.delay);
  WaitReason& wait = waits_[container];
  if (wait.reason == "ErrImagePull" && now < at->second.updated_at + kPullErrorShown) {
    wake(decision, at->second.updated_at + kPullErrorShown);
    return true;
  }
  if (wait.reason == "ImagePullBackOff") return true;
  const std::string message = "Back-off pulling image " + quote(image);
  wait = {"ImagePullBackOff", message + ": " + image_errors_[image]};
  decision.notices.push_back({false, "BackOff", message, container});
  decision.notices.push_back({true, "Failed", "Error: ImagePullBackOff", container});
  return true;
}

void PodMachine::volumes_failed(const std::string& message, Instant now) {
  volumes_ = Stage::failed;
  volumes_delay_ =
      volumes_delay_ == Duration() ? kMountFirst : std::min(volumes_delay_ * 2, kMountMax);
  volumes_retry_at_ = now + volumes_delay_;
  pending_.notices.push_back({true, "FailedMount", message});
}

void PodMachine::retry_soon(Instant now) {
  if (volumes_ == Stage::failed) volumes_retry_at_ = now;
  for (auto& [container, at] : retry_at_) at = now;
  image_backoffs_.clear();
}

void PodMachine::sandbox_ready(Sandbox sandbox) {
  const int attempt = sandbox_.attempt;
  sandbox_ = std::move(sandbox);
  sandbox_.attempt = attempt;
  sandbox_.state = Sandbox::State::ready;
}

void PodMachine::sandbox_failed(const std::string& message, Instant now) {
  sandbox_.state = Sandbox::State::none;
  sandbox_retry_at_ = now + kRetry;
  pending_.notices.push_back(
      {true, "FailedCreatePodSandBox", "Failed to create pod sandbox: " + message});
}

void PodMachine::sandbox_lost() {
  if (sandbox_.state == Sandbox::State::none) return;
  sandbox_ = {.state = Sandbox::State::gone, .attempt = sandbox_.attempt + 1};
  volumes_ = Stage::none;
}

void PodMachine::image_done(const std::string& container, const ImageOutcome& outcome,
                            Instant now) {
  if (!start_ || start_->step != Start::Step::image || start_->container != container) return;
  const std::string image = container_named(pod_, container)["image"].str();
  if (outcome.tried_registry)
    pending_.notices.push_back({false, "Pulling", "Pulling image " + quote(image), container});
  for (Notice notice : outcome.notices) {
    notice.container = container;
    pending_.notices.push_back(std::move(notice));
  }
  if (!outcome.ok) {
    start_.reset();
    if (outcome.reason == "ErrImagePull") {
      pending_.notices.push_back({true, "Failed",
                                  "Failed to pull image " + quote(image) + ": " + outcome.message,
                                  container});
      back_off(image_backoffs_, image, now, now);
      image_errors_[image] = outcome.reason + ": " + outcome.message;
    } else {
      retry_at_[container] = now + kRetry;
    }
    waits_[container] = {outcome.reason, outcome.message};
    pending_.notices.push_back({true, "Failed", "Error: " + outcome.reason, container});
    return;
  }
  if (is_ending()) {
    start_.reset();
    return;
  }
  start_->step = Start::Step::start;
  const int attempt = next_attempt(container);
  start_->run_id = new_run_id(container, attempt, now);
  ContainerRun run;
  run.container = container;
  run.id = start_->run_id;
  run.attempt = attempt;
  run.sandbox_attempt = sandbox_.attempt;
  run.created_at = now;
  run.image = image;
  runs_.push_back(std::move(run));
  Action begin = action(Action::Kind::start_container);
  begin.container = container;
  begin.run_id = start_->run_id;
  begin.attempt = attempt;
  pending_.actions.push_back(std::move(begin));
}

void PodMachine::set_image(const std::string& run_id, std::string image, std::string image_id) {
  if (ContainerRun* run = find(run_id)) {
    run->image = std::move(image);
    run->image_id = std::move(image_id);
  }
}

void PodMachine::container_started(const std::string& run_id, Instant now, std::int64_t user,
                                   std::int64_t group) {
  ContainerRun* run = find(run_id);
  if (run == nullptr) return;
  run->state = ContainerRun::State::running;
  run->started_at = now;
  run->user = user;
  run->group = group;
  waits_.erase(run->container);
  pending_.notices.push_back({false, "Created", "Container created", run->container});
  pending_.notices.push_back({false, "Started", "Container started", run->container});
  if (!start_ || start_->run_id != run_id) return;
  const Value& container = container_named(pod_, run->container);
  if (!container["lifecycle"].has("postStart")) return start_.reset();
  start_->step = Start::Step::post_start;
  Action hook = action(Action::Kind::run_post_start);
  hook.container = run->container;
  hook.run_id = run_id;
  pending_.actions.push_back(std::move(hook));
}

void PodMachine::start_failed(const std::string& run_id, bool config, const std::string& message,
                              Instant now) {
  ContainerRun* run = find(run_id);
  if (run == nullptr) return;
  const std::string container = run->container;
  if (start_ && start_->run_id == run_id) start_.reset();
  pending_.notices.push_back({true, "Failed", "Error: " + message, container});
  if (config) {
    std::erase_if(runs_, [&](const ContainerRun& each) { return each.id == run_id; });
    waits_[container] = {"CreateContainerConfigError", message};
    retry_at_[container] = now + kRetry;
    return;
  }
  run->state = ContainerRun::State::exited;
  run->exit_code = 128;
  run->reason = "StartError";
  run->message = message;
  run->finished_at = now;
  waits_[container] = {"RunContainerError", message};
}

void PodMachine::hook_done(const std::string& run_id, bool post_start, bool ok,
                           const std::string& message, Instant now) {
  const ContainerRun* run = find(run_id);
  if (run == nullptr) return;
  if (!post_start) {
    if (!ok)
      pending_.notices.push_back({true, "FailedPreStopHook", "PreStopHook failed", run->container});
    const auto kill = kills_.find(run_id);
    if (kill != kills_.end() && kill->second.step == Kill::Step::pre_stop)
      kill->second.act_at = now;
    return;
  }
  if (start_ && start_->run_id == run_id) start_.reset();
  if (ok || !run->running()) return;
  pending_.notices.push_back({true, "FailedPostStartHook", "PostStartHook failed", run->container});
  waits_[run->container] = {"PostStartHookError", message};
  begin_kill(pending_, now, *run, "FailedPostStartHook", grace_of(pod_), false);
}

void PodMachine::container_exited(const std::string& run_id, const ContainerExit& exit) {
  ContainerRun* run = find(run_id);
  if (run == nullptr || run->exited()) return;
  run->state = ContainerRun::State::exited;
  run->exit_code = exit.unknown ? 137 : exit.code;
  run->signal = exit.signal;
  run->finished_at = exit.at;
  run->message = exit.message;
  if (exit.unknown)
    run->reason = "ContainerStatusUnknown";
  else if (exit.out_of_memory)
    run->reason = "OOMKilled";
  else
    run->reason = exit.code == 0 ? "Completed" : "Error";
  kills_.erase(run_id);
  if (start_ && start_->run_id == run_id) start_.reset();
}

bool PodMachine::probe_done(const std::string& run_id, ProbeKind kind, const ProbeOutcome& outcome,
                            Instant now) {
  const ContainerRun* run = find(run_id);
  if (run == nullptr || !run->running()) return false;
  const std::optional<bool> before = prober_.verdict(run_id, kind);
  const std::optional<std::string> event = prober_.done(pod_, *run, kind, outcome, now);
  if (event) pending_.notices.push_back({true, "Unhealthy", *event, run->container});
  return event.has_value() || prober_.verdict(run_id, kind) != before;
}

int PodMachine::next_attempt(const std::string& container) const {
  if (const ContainerRun* run = runs_of(runs_, container).latest) return run->attempt + 1;
  for (const std::string_view list : {"containerStatuses", "initContainerStatuses"})
    for (const Value& status : pod_["status"][list].elements())
      if (status["name"].as_string() == container)
        return static_cast<int>(status["restartCount"].as_int()) +
               (status["containerID"].as_string().empty() ? 0 : 1);
  return 0;
}

// 64 hexadecimal digits, as container runtimes name their containers.
std::string PodMachine::new_run_id(const std::string& container, int attempt, Instant now) const {
  Prng prng(hash64(std::string(model::uid_of(pod_)) + "/" + container + "/" +
                   std::to_string(attempt) + "/" + std::to_string(now.unix_nanoseconds())));
  std::string bytes;
  for (int i = 0; i < 4; i++) {
    std::uint64_t word = prng.next();
    for (int j = 0; j < 8; j++, word >>= 8) bytes.push_back(static_cast<char>(word & 0xff));
  }
  return to_hex(bytes);
}

const ContainerRun* PodMachine::run(const std::string& id) const {
  for (const ContainerRun& run : runs_)
    if (run.id == id) return &run;
  return nullptr;
}

ContainerRun* PodMachine::find(const std::string& id) {
  return const_cast<ContainerRun*>(std::as_const(*this).run(id));
}

bool PodMachine::in_backoff(const std::map<std::string, Backoff>& backoffs, const std::string& key,
                            Instant event, Instant now) {
  const auto at = backoffs.find(key);
  if (at == backoffs.end()) return false;
  if (event - at->second.updated_at > kBackoffMax * 2) return false;
  return now - event < at->second.delay;
}

void PodMachine::back_off(std::map<std::string, Backoff>& backoffs, const std::string& key,
                          Instant event, Instant now) {
  const auto [at, added] = backoffs.try_emplace(key, Backoff{kBackoffFirst, now});
  if (added) return;
  const bool expired = event - at->second.updated_at > kBackoffMax * 2;
  at->second.delay = expired ? kBackoffFirst : std::min(at->second.delay * 2, kBackoffMax);
  at->second.updated_at = now;
}

}  // namespace keelson::node
