// The driver of real containers: crun under the keeper, overlay root filesystems, one network
// namespace per pod, cgroup limits. What runs survives the engine; recover() finds it again by the
// records on disk and the keeper's memory. docs/design/node.md describes files and hand-over.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/pod_network.h"
#include "host/loop.h"
#include "host/processes.h"
#include "host/sockets.h"
#include "node/driver.h"
#include "node/linux/cgroups.h"
#include "node/linux/disk.h"
#include "node/linux/keeper_client.h"
#include "node/linux/oci_spec.h"
#include "node/linux/trash.h"

namespace keelson::node {

// What every driver with real processes is given.
struct LinuxDriverOptions {
  std::string root;              // the node directory; short: sockets lie in it
  std::string name = "keelson";  // of the engine; parent cgroup
  // What stand-ins, which stand on the host's files, see nothing of: directories are empty for
  // them, and files too.
  std::vector<std::string> hidden = {
      "/root",        "/home",           "/tmp",          "/etc/shadow",
      "/etc/shadow-", "/etc/gshadow",    "/etc/gshadow-", "/etc/ssl/private",
      "/etc/ssh",     "/var/lib/keelson"};
  std::function<std::int64_t()> cpu_scale = [] { return std::int64_t{1}; };
  std::function<std::int64_t()> memory_scale = [] { return std::int64_t{1}; };
};

class CrunDriver : public Driver {
 public:
  CrunDriver(host::Loop& loop, host::Sockets& sockets, host::Processes& processes,
             cluster::PodNetwork& network, LinuxDriverOptions options);
  ~CrunDriver() override;

  // Why real containers cannot run here ("not root", "crun is not installed"); empty: they can.
  static std::string why_not();

  std::string_view name() const override { return "crun"; }
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
  void purge(const std::string& pod_uid) override;
  void exec(const std::string& run_id, std::vector<std::string> argv, Duration timeout,
            std::function<void(Result<ExecOutcome>)> done) override;
  void probe(const NetworkProbe& probe, std::function<void(ProbeOutcome)> done) override;
  std::optional<Usage> usage(const std::string& run_id) override;
  void set_model(const std::string& run_id, const Value& model) override;
  std::string network_namespace(const Value& pod, const Sandbox& sandbox) const override;
  std::string log_path(const Value& pod, const ContainerRun& run) const override;
  std::shared_ptr<cluster::Session> exec_session(const std::string& run_id,
                                                 const cluster::ExecOptions& options,
                                                 cluster::ExecEvents events) override;
  std::shared_ptr<cluster::Session> attach_session(const std::string& run_id,
                                                   const cluster::ExecOptions& options,
                                                   cluster::ExecEvents events) override;

  // Ends the keeper if nothing runs any more, and removes the parent cgroup.
  void end_keeper(std::function<void()> done);
  const KeeperClient& keeper() const { return keeper_; }
  // What keeps containers from starting and ending at present; else empty.
  const std::string& problem() const { return keeper_.problem(); }

 protected:
  struct RunRecord {
    std::string uid, directory, cgroup;
    Value state;  // state.json
    bool terminal = false, stand_in = false;
    std::string fallback_log;  // for terminationMessagePolicy FallbackToLogsOnError
  };
  struct PodRecord {
    Value pod;
    cluster::PodAttachment attachment;
    bool attached = false;
    Sandbox sandbox;
    std::vector<std::string> memory_mounts;  // emptyDir volumes in memory
  };
  struct Prepared {  // what start() needs beside the request
    std::string directory;
    Value launch;
    StartedContainer user;
  };

  // What the driver without privileges does otherwise.
  virtual bool needs_privileges() const { return true; }
  virtual void sandbox_attached(const Value& pod, int attempt, cluster::PodAttachment attachment,
                                std::function<void(Result<Sandbox>)> done);
  virtual Result<Prepared> prepare(const ContainerRequest& request);
  virtual std::vector<std::string> exec_argv(const std::string& run_id, bool terminal,
                                             const std::vector<std::string>& command) const;
  virtual std::string exec_mounts() const { return keeper_.mount_namespace(); }

  void adopt_found(const Value& listed, std::vector<RecoveredPod>& out);
  RecoveredPod read_pod(const std::string& uid, const std::vector<std::string>& alive);
  ContainerRun read_run(const std::string& uid, const std::string& directory,
                        const std::vector<std::string>& alive);
  Value adoption(const std::string& run_id, int pid) const;
  void on_event(const Value& event);
  void on_replaced();
  Result<std::vector<BindMount>> mounts_of(const ContainerRequest& request,
                                           const std::string& directory, std::int64_t group) const;
  Value root_mount(const ContainerRequest& request, const std::string& directory) const;
  static std::string model_text(const ContainerRequest& request);
  std::vector<std::string> stand_in_argv(const ContainerRequest& request) const;
  std::string termination_message(const RunRecord& record, bool failed) const;
  std::string cgroup_of_pod(const std::string& uid) const;
  std::vector<std::string> crun(std::initializer_list<std::string> words) const;
  void put_away(const std::string& uid, std::function<void()> done);

  host::Loop& loop_;
  host::Sockets& sockets_;
  host::Processes& processes_;
  cluster::PodNetwork& network_;
  LinuxDriverOptions options_;
  Disk disk_;
  Trash trash_;
  Cgroups cgroups_;
  KeeperClient keeper_;
  OnExit on_exit_;
  std::map<std::string, RunRecord> runs_;  // by run id
  std::map<std::string, PodRecord> pods_;  // by uid
  std::uint64_t capabilities_mask_ = ~0ULL;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::node
