// Ending: graceful termination of one container or of the whole pod, and what is put away after.
#include <algorithm>
#include <csignal>

#include "base/text.h"
#include "model/meta.h"
#include "node/pod_machine.h"
#include "node/pod_spec.h"

namespace keelson::node {
namespace {

constexpr Duration kGraceMin = Duration::seconds(2);
constexpr Duration kKillAgain = Duration::seconds(5);
constexpr int kRunsKept = 2;  // the last one and the one before it, for --previous

int stop_signal_of(const Value& container) {
  const std::string_view name = container["lifecycle"]["stopSignal"].as_string();
  struct Named {
    std::string_view name;
    int signal;
  };
  for (const Named& named : {Named{"SIGTERM", SIGTERM},
                             {"SIGINT", SIGINT},
                             {"SIGQUIT", SIGQUIT},
                             {"SIGHUP", SIGHUP},
                             {"SIGUSR1", SIGUSR1},
                             {"SIGUSR2", SIGUSR2},
                             {"SIGKILL", SIGKILL},
                             {"SIGWINCH", SIGWINCH}})
    if (named.name == name) return named.signal;
  return SIGTERM;
}

}  // namespace

// The pod is to end: stop what runs, then put away sandbox and volumes, then let the object go.
void PodMachine::wind_down(Decision& decision, Instant now) {
  if (start_ && start_->step == Start::Step::image) start_.reset();
  for (const ContainerRun& run : runs_)
    if (run.running() && !kills_.contains(run.id))
      begin_kill(decision, now, run, "", grace_of(pod_), true);
  const bool alive = std::any_of(runs_.begin(), runs_.end(), [](const ContainerRun& run) {
    return run.running() || run.state == ContainerRun::State::created;
  });
  const bool busy = volumes_ == Stage::busy || sandbox_.state == Sandbox::State::creating;
  if (teardown_ == Stage::none && !alive && !busy) {
    teardown_ = Stage::busy;
    sandbox_.state = Sandbox::State::removing;
    decision.actions.push_back(Action{.kind = Action::Kind::tear_down});
  }
  if (teardown_ == Stage::done) {
    sandbox_.state = Sandbox::State::gone;
    if (model::is_deleting(pod_) && !deletion_asked_) {
      deletion_asked_ = true;
      decision.actions.push_back(Action{.kind = Action::Kind::delete_pod});
    }
  }
}

void PodMachine::begin_kill(Decision& decision, Instant now, const ContainerRun& run,
                            std::string message, Duration grace, bool with_pod) {
  if (message.empty()) message = "Stopping container " + run.container;
  decision.notices.push_back({false, "Killing", std::move(message), run.container});
  Kill kill{.with_pod = with_pod, .grace = grace, .began = now, .act_at = now};
  const Value& container = container_named(pod_, run.container);
  if (container["lifecycle"].has("preStop") && grace > Duration()) {
    kill.step = Kill::Step::pre_stop;
    kill.act_at = now + grace;
    Action hook{.kind = Action::Kind::run_pre_stop};
    hook.container = run.container;
    hook.run_id = run.id;
    decision.actions.push_back(std::move(hook));
  }
  kills_.emplace(run.id, kill);
}

// Sidecars end after the containers that they serve, in reverse order.
bool PodMachine::has_turn(const ContainerRun& run) const {
  const auto& init = pod_["spec"]["initContainers"].elements();
  const auto own = std::find_if(init.begin(), init.end(), [&](const Value& container) {
    return container["name"].as_string() == run.container;
  });
  if (own == init.end() || !model::is_sidecar(*own)) return true;
  return std::none_of(runs_.begin(), runs_.end(), [&](const ContainerRun& other) {
    if (!other.running() || other.id == run.id) return false;
    const auto at = std::find_if(init.begin(), init.end(), [&](const Value& container) {
      return container["name"].as_string() == other.container;
    });
    return at == init.end() || at > own;
  });
}

void PodMachine::advance_kills(Decision& decision, Instant now) {
  for (auto& [id, kill] : kills_) {
    const ContainerRun* run = this->run(id);
    if (run == nullptr || !run->running()) continue;
    if (model::is_deleting(pod_) && grace_of(pod_) < kill.grace) {
      // The user lost patience: a second deletion with less grace.
      kill.grace = grace_of(pod_);
      if (kill.step != Kill::Step::kill)
        kill.act_at = std::min(kill.act_at, kill.began + std::max(kGraceMin, kill.grace));
    }
    const auto signal = [&](int number) {
      Action send{.kind = Action::Kind::signal};
      send.container = run->container;
      send.run_id = id;
      send.signal = number;
      decision.actions.push_back(std::move(send));
    };
    if (kill.step == Kill::Step::pre_stop && kill.act_at <= now) {
      kill.step = Kill::Step::turn;
      kill.act_at = now;
    }
    if (kill.step == Kill::Step::turn) {
      const bool waited = now - kill.began >= kill.grace;
      if (!kill.with_pod || has_turn(*run) || waited) {
        const Duration spent = Duration::seconds((now - kill.began).count_seconds());
        kill.step = Kill::Step::term;
        kill.act_at = now + std::max(kGraceMin, kill.grace - spent);
        signal(stop_signal_of(container_named(pod_, run->container)));
      } else {
        kill.act_at = kill.began + kill.grace;
      }
    } else if (kill.act_at <= now && kill.step != Kill::Step::pre_stop) {
      kill.step = Kill::Step::kill;
      kill.act_at = now + kKillAgain;
      signal(SIGKILL);
    }
    decision.wake_at = std::min(decision.wake_at, kill.act_at);
  }
}

void PodMachine::forget_old_runs(Decision& decision) {
  std::map<std::string, int> kept;
  for (auto run = runs_.rbegin(); run != runs_.rend();) {
    if (++kept[run->container] <= kRunsKept || !run->exited()) {
      ++run;
      continue;
    }
    Action remove{.kind = Action::Kind::remove_container};
    remove.container = run->container;
    remove.run_id = run->id;
    decision.actions.push_back(std::move(remove));
    run = std::make_reverse_iterator(runs_.erase(std::next(run).base()));
  }
}

}  // namespace keelson::node
