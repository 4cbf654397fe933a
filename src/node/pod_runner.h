// PodRunner: carries one pod through its life. It holds the pod's machine, does what the machine
// asks for through the driver, tells it the outcomes, and commits the status. It decides nothing
// itself. Dropping it leaves running what runs (the engine ends, the pod does not).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "node/driver.h"
#include "node/environment.h"
#include "node/images.h"
#include "node/pod_machine.h"
#include "node/volumes.h"

namespace keelson::node {

// What the pods of one node share.
struct NodeContext {
  cluster::Cluster& cluster;
  Driver& driver;
  Images& images;
  TokenSource tokens;
  std::string node_name, host_address;
  Value allocatable;
};

class PodRunner : public std::enable_shared_from_this<PodRunner> {
 public:
  // on_over: the object is gone and nothing of the pod is left; called once.
  PodRunner(NodeContext& context, Value pod, std::function<void()> on_over);
  ~PodRunner();

  void adopt(const RecoveredPod& recovered);
  void begin();
  void pod_changed(const Value& pod);
  void pod_removed();  // the object is gone: end what runs, at once
  void source_changed(std::string_view resource, std::string_view name);
  void container_exited(const std::string& run_id, const ContainerExit& exit);
  // The node lost its power: nothing of the pod runs any more.
  void power_lost();

  const PodMachine& machine() const { return machine_; }
  const std::string& uid() const { return uid_; }
  // What keeps this pod's status from being written, once it has lasted; else empty.
  const std::string& problem() const { return problem_; }

 private:
  void schedule(Instant at);
  void sync();
  void carry_out(const Action& action);
  void set_up_volumes();
  void create_sandbox(const Action& action);
  void ensure_image(const Action& action);
  void start_container(const Action& action);
  void run_hook(const Action& action, bool post_start);
  void run_probe(const Action& action);
  void tear_down();
  void report(const Notice& notice);
  void commit_status();
  void commit_removal();
  void accepted();
  void refused(std::string_view what, const Error& error);
  void changed();
  PodFacts facts() const;
  NetworkProbe network_probe(const Value& handler, const Value& container,
                             const std::string& run_id) const;

  NodeContext& context_;
  std::function<void()> on_over_;
  std::string uid_;
  PodMachine machine_;
  std::map<std::string, Image> images_;  // by container, from ensure_image to start
  std::vector<Volume> volumes_;
  std::shared_ptr<void> timer_, volumes_timer_;
  std::map<std::string, std::shared_ptr<void>> sleeps_;  // hooks that sleep, by run id
  Instant timer_at_ = Instant::max();
  bool syncing_ = false, dirty_ = true;
  bool committing_ = false, removing_ = false, removed_ = false, over_ = false;
  std::shared_ptr<void> retry_;
  Instant commit_at_;  // no write before
  int refusals_ = 0;   // in a row
  std::string problem_;
};

}  // namespace keelson::node
