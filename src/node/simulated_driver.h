// SimulatedDriver: pods without processes. What a container does over time is a model; time comes
// from the cluster, so in virtual time a day passes in milliseconds. Faults are calls.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "cluster/cluster.h"
#include "node/driver.h"

namespace keelson::node {

// How the containers of a pod behave. Times are Duration::max() for "never".
struct PodModel {
  Duration sandbox_time = Duration::milliseconds(100);
  Duration start_time = Duration::milliseconds(100);  // until the process runs
  Duration warm_up = Duration();                      // until probes succeed
  Duration run_time = Duration::max();                // then it exits with exit_code
  int exit_code = 0;
  Duration stop_time = Duration::milliseconds(100);  // from SIGTERM to the exit
  int stop_code = 0;
  Duration probe_time = Duration::milliseconds(1);
};

class SimulatedDriver : public Driver {
 public:
  // model_of is asked at every start of a container; cpu_of and memory_of whenever usage is read.
  using ModelOf = std::function<PodModel(const Value& pod, const Value& container)>;
  SimulatedDriver(cluster::Cluster& cluster, ModelOf model_of);

  // Faults and load.
  bool crash(const std::string& run_id, int exit_code);       // false: no such container runs
  void set_failing(const std::string& run_id, bool failing);  // its probes and hooks fail
  // Adds to the counter that usage() reports.
  void consume(const std::string& run_id, Duration cpu);
  void set_memory(const std::string& run_id, std::int64_t bytes);

  std::string_view name() const override { return "simulated"; }
  void set_on_exit(OnExit on_exit) override { on_exit_ = std::move(on_exit); }
  void recover(std::function<void(Result<std::vector<RecoveredPod>>)> done) override;
  void set_up_volumes(const Value& pod, const std::vector<Volume>& volumes,
                      std::function<void(Result<void>)> done) override;
  void create_sandbox(const Value& pod, int attempt,
                      std::function<void(Result<Sandbox>)> done) override;
  void start(ContainerRequest request, std::function<void(Result<StartedContainer>)> done) override;
  void signal(const std::string& run_id, int signal) override;
  void remove_container(const Value& pod, const std::string& run_id) override;
  void tear_down(const Value& pod, const Sandbox& sandbox, std::function<void()> done) override;
  void purge(const std::string&) override {}
  void exec(const std::string& run_id, std::vector<std::string> argv, Duration timeout,
            std::function<void(Result<ExecOutcome>)> done) override;
  void probe(const NetworkProbe& probe, std::function<void(ProbeOutcome)> done) override;
  std::optional<Usage> usage(const std::string& run_id) override;

 private:
  struct Running {
    PodModel model;
    Instant started_at;
    bool failing = false, stopping = false;
    Usage used;
    std::shared_ptr<void> timer;
  };
  void exit(const std::string& run_id, int code, int signal);
  void after(Duration delay, std::function<void()> call);
  bool is_healthy(const std::string& run_id) const;

  cluster::Cluster& cluster_;
  ModelOf model_of_;
  OnExit on_exit_;
  std::map<std::string, Running> running_;
  // What the host knows of each pod, by uid, whether an engine runs or not: recover() tells it.
  std::map<std::string, RecoveredPod> pods_;
  std::map<std::uint64_t, std::shared_ptr<void>> timers_;  // of calls on their way
  std::uint64_t timers_made_ = 0;
  std::uint32_t addresses_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Every image is there; for nodes that run nothing.
class SimulatedImages : public Images {
 public:
  void ensure(const Value& pod, const Value& container, OnImage done) override;
};

}  // namespace keelson::node
