// Driver: how pods run on a node. Three exist: crun (real containers), process (plain processes)
// and simulated (no process at all). A driver carries out what the pod machine asked for and
// reports what happens; it decides nothing. Everything on the loop's thread; callbacks come at once
// or later, each exactly once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/pod_streams.h"
#include "node/images.h"
#include "node/runtime_state.h"
#include "node/volumes.h"

namespace keelson::node {

// A container, complete: nothing is left to look up.
struct ContainerRequest {
  Value pod, container;
  std::string run_id;
  int attempt = 0;
  Sandbox sandbox;
  Image image;
  std::vector<std::string> argv;  // expanded
  std::vector<std::pair<std::string, std::string>> environment;
  std::string working_directory;
  std::vector<Volume> volumes;  // of the pod
};

struct StartedContainer {
  std::int64_t user = 0, group = 0;
};

struct ExecOutcome {
  int code = 0;
  std::string output;  // stdout and stderr, the first 10 KiB
  bool timed_out = false;
};

// A probe or hook that goes over the network.
struct NetworkProbe {
  enum class Kind : std::uint8_t { http, tcp, grpc } kind = Kind::tcp;
  Sandbox sandbox;
  std::string run_id;
  std::string host;  // empty: the pod's address
  int port = 0;
  bool tls = false;
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string service;  // grpc
  std::string user_agent = "kube-probe/1.36";
  Duration timeout = Duration::seconds(1);
};

// Counters of one running container, as its cgroup has them: of this machine, not scaled.
struct Usage {
  Duration cpu;             // since the container started
  std::int64_t memory = 0;  // working set in bytes
};

// What a driver found running from an earlier process of this engine.
struct RecoveredPod {
  Value pod;  // as it was when the sandbox was made
  Sandbox sandbox;
  std::vector<ContainerRun> runs;
};

class Driver {
 public:
  virtual ~Driver() = default;
  virtual std::string_view name() const = 0;  // the scheme of container ids

  using OnExit = std::function<void(const std::string& run_id, const ContainerExit& exit)>;
  virtual void set_on_exit(OnExit on_exit) = 0;

  // Called once before anything else. Exits that happened meanwhile are part of the answer.
  virtual void recover(std::function<void(Result<std::vector<RecoveredPod>>)> done) = 0;

  // Idempotent: called again when a ConfigMap, a Secret or the pod's metadata changed.
  virtual void set_up_volumes(const Value& pod, const std::vector<Volume>& volumes,
                              std::function<void(Result<void>)> done) = 0;
  virtual void create_sandbox(const Value& pod, int attempt,
                              std::function<void(Result<Sandbox>)> done) = 0;
  virtual void start(ContainerRequest request,
                     std::function<void(Result<StartedContainer>)> done) = 0;
  virtual void signal(const std::string& run_id, int signal) = 0;
  virtual void remove_container(const Value& pod, const std::string& run_id) = 0;
  // Sandbox and volumes; every container has ended. Logs stay.
  virtual void tear_down(const Value& pod, const Sandbox& sandbox, std::function<void()> done) = 0;
  // The pod object is gone: logs and records too.
  virtual void purge(const std::string& pod_uid) = 0;

  virtual void exec(const std::string& run_id, std::vector<std::string> argv, Duration timeout,
                    std::function<void(Result<ExecOutcome>)> done) = 0;
  virtual void probe(const NetworkProbe& probe, std::function<void(ProbeOutcome)> done) = 0;
  virtual std::optional<Usage> usage(const std::string& run_id) = 0;

  // Replaces the model of a built-in stand-in that runs; nothing for anything else.
  virtual void set_model(const std::string&, const Value&) {}

  // For kubectl. The defaults refuse.
  // Where the pod's loopback is; empty: the host's.
  virtual std::string network_namespace(const Value& pod, const Sandbox& sandbox) const;
  virtual std::string log_path(const Value& pod, const ContainerRun& run) const;
  virtual std::shared_ptr<cluster::Session> exec_session(const std::string& run_id,
                                                         const cluster::ExecOptions& options,
                                                         cluster::ExecEvents events);
  virtual std::shared_ptr<cluster::Session> attach_session(const std::string& run_id,
                                                           const cluster::ExecOptions& options,
                                                           cluster::ExecEvents events);
};

}  // namespace keelson::node
