// PodMachine: what a node does next for one pod. Desired pod, facts and time in; actions, events
// and status out. Pure: it starts nothing itself and reads no clock; whoever holds it carries out
// the actions and tells it the outcomes. The rules are those of the kubelet
// (pkg/kubelet/kuberuntime/kuberuntime_manager.go and kuberuntime_container.go).
//
// Invariants: at most one container of a pod is on its way to running at a time, in the order of
// the spec; nothing starts once the pod is to end; every action has exactly one outcome.
//
//   for (Action& action : machine.step(now).actions) ... carry out ...
//   machine.container_exited(run_id, exit, now);  machine.step(now);  machine.status(now);
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node/pod_status.h"
#include "node/prober.h"
#include "node/runtime_state.h"

namespace keelson::node {

struct Action {
  enum class Kind : std::uint8_t {
    set_up_volumes,    // -> volumes_ready or volumes_failed
    create_sandbox,    // attempt -> sandbox_ready or sandbox_failed
    ensure_image,      // container -> image_done
    start_container,   // container, run_id, attempt -> container_started or start_failed
    run_post_start,    // container, run_id -> hook_done
    run_pre_stop,      // container, run_id -> hook_done
    signal,            // run_id, signal; the exit arrives as container_exited
    probe,             // run_id, probe -> probe_done
    remove_container,  // run_id: forget it and its log
    tear_down,         // sandbox and volumes -> torn_down
    delete_pod,        // report the status, then remove the object with grace 0
  };
  Kind kind;
  std::string container = {};
  std::string run_id = {};
  int attempt = 0;
  int signal = 0;
  ProbeKind probe = ProbeKind::readiness;
};

struct Notice {
  bool warning = false;
  std::string reason, message;
  std::string container = {};  // the event points at it; empty: at the pod
};

struct Decision {
  std::vector<Action> actions;
  std::vector<Notice> notices;
  Instant wake_at = Instant::max();  // step again then, if nothing happens before
  // False if the status cannot have changed: only probes were started.
  bool changed() const;
};

struct ImageOutcome {
  bool ok = false;
  std::string reason;  // "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"
  std::string message;
  bool tried_registry = false;       // adds the event "Pulling"
  std::vector<Notice> notices = {};  // such as "Pulled" or "StandIn", in order
};

struct ContainerExit {
  int code = 0;
  int signal = 0;
  bool out_of_memory = false;
  bool unknown = false;  // it is gone and nobody saw how
  std::string message;   // the termination message
  Instant at;
};

class PodMachine {
 public:
  struct Options {
    std::string host_address;
    std::string runtime = "crun";
  };
  PodMachine(Options options, Value pod, Instant now);

  // The pod as last served. The uid never changes.
  void set_pod(Value pod) { pod_ = std::move(pod); }
  const Value& pod() const { return pod_; }

  // What was found running when this process started.
  void adopt(Sandbox sandbox, std::vector<ContainerRun> runs, Instant now);

  Decision step(Instant now);
  Value status(Instant now) const;

  // Outcomes of actions, and news.
  void volumes_ready() { volumes_ = Stage::done; }
  void volumes_failed(const std::string& message, Instant now);
  void retry_soon(Instant now);  // something a pod waits for may have appeared
  void sandbox_ready(Sandbox sandbox);
  void sandbox_failed(const std::string& message, Instant now);
  void sandbox_lost();
  void image_done(const std::string& container, const ImageOutcome& outcome, Instant now);
  void container_started(const std::string& run_id, Instant now, std::int64_t user = 0,
                         std::int64_t group = 0);
  // `config`: it could not even be put together (CreateContainerConfigError).
  void start_failed(const std::string& run_id, bool config, const std::string& message,
                    Instant now);
  void hook_done(const std::string& run_id, bool post_start, bool ok, const std::string& message,
                 Instant now);
  void container_exited(const std::string& run_id, const ContainerExit& exit);
  // True if the pod's status or events may change by it.
  bool probe_done(const std::string& run_id, ProbeKind kind, const ProbeOutcome& outcome,
                  Instant now);
  void torn_down() { teardown_ = Stage::done; }

  const std::vector<ContainerRun>& runs() const { return runs_; }
  const ContainerRun* run(const std::string& id) const;
  const Sandbox& sandbox() const { return sandbox_; }
  const Prober& prober() const { return prober_; }
  // Everything it ran has ended and was put away.
  bool is_over() const { return teardown_ == Stage::done; }
  void set_image(const std::string& run_id, std::string image, std::string image_id);

 private:
  enum class Stage : std::uint8_t { none, busy, done, failed };
  struct Backoff {  // as client-go's flowcontrol.Backoff
    Duration delay;
    Instant updated_at;
  };
  // A container on its way to running.
  struct Start {
    enum class Step : std::uint8_t { image, start, post_start } step = Step::image;
    std::string container, run_id;
  };
  // A container on its way out.
  struct Kill {
    enum class Step : std::uint8_t { pre_stop, turn, term, kill } step = Step::turn;
    bool with_pod = false;  // the whole pod ends: sidecars wait for their turn
    Duration grace;
    Instant began;
    Instant act_at;  // the next escalation
  };

  bool is_ending() const;
  void check_deadline(Decision& decision, Instant now);
  void advance(Decision& decision, Instant now);
  bool prepare(Decision& decision, Instant now);
  bool advance_init(Decision& decision, Instant now, std::vector<std::string>& to_start);
  bool check_probes(Decision& decision, Instant now, const ContainerRun& run, bool init);
  void start_next(Decision& decision, Instant now, const std::vector<std::string>& to_start);
  bool is_held_back(Decision& decision, Instant now, const std::string& container);
  bool image_is_held_back(Decision& decision, Instant now, const std::string& container);
  void wind_down(Decision& decision, Instant now);
  void begin_kill(Decision& decision, Instant now, const ContainerRun& run, std::string message,
                  Duration grace, bool with_pod);
  void advance_kills(Decision& decision, Instant now);
  bool has_turn(const ContainerRun& run) const;
  void forget_old_runs(Decision& decision);
  int next_attempt(const std::string& container) const;
  std::string new_run_id(const std::string& container, int attempt, Instant now) const;
  ContainerRun* find(const std::string& id);
  static bool in_backoff(const std::map<std::string, Backoff>& backoffs, const std::string& key,
                         Instant event, Instant now);
  static void back_off(std::map<std::string, Backoff>& backoffs, const std::string& key,
                       Instant event, Instant now);

  Options options_;
  Value pod_;
  Instant first_seen_;
  Sandbox sandbox_;
  std::vector<ContainerRun> runs_;  // by age
  Prober prober_;
  std::map<std::string, WaitReason> waits_;
  std::map<std::string, Backoff> crash_backoffs_, image_backoffs_;
  std::map<std::string, std::string> image_errors_;
  std::map<std::string, Kill> kills_;        // by run id
  std::map<std::string, Instant> retry_at_;  // of containers whose start failed
  std::optional<Start> start_;
  Decision pending_;  // raised by outcomes, handed out by step
  Stage volumes_ = Stage::none, teardown_ = Stage::none;
  Instant volumes_retry_at_, sandbox_retry_at_;
  Duration volumes_delay_;
  bool finished_ = false;  // every container ran to its end
  bool deadline_exceeded_ = false;
  bool deletion_asked_ = false;
};

}  // namespace keelson::node
