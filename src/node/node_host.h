// NodeHost: every node of this engine. It hosts the Node objects that carry a pool label, runs the
// pods that are bound to them, keeps their heartbeats and status, and answers what runs here. The
// invariant: one PodRunner per pod uid from the moment the pod is bound until nothing of it is
// left.
//
//   NodeHost host(cluster, *driver, *images, options);
//   host.start([](Result<void> started) { ... });     // adopts what runs, then watches
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "node/driver.h"
#include "node/node_object.h"
#include "node/pod_runner.h"

namespace keelson::node {

inline constexpr std::string_view kHostedLabel = "keelson.dev/pool";

// One running container, for metrics.
struct ContainerSample {
  std::string namespace_, pod, container, node;
  std::string run_id;
  Value labels;           // of the pod
  Usage usage;            // of this machine, not scaled
  bool stand_in = false;  // the built-in one: its memory is scaled
};

// A container that does not run its image.
struct StandInUse {
  std::string namespace_, pod, container, image, rule;
  bool builtin = false;
};

class NodeHost {
 public:
  struct Options {
    std::string host_address = "127.0.0.1";
    Value node_info = {};         // status.nodeInfo; see machine_info()
    Value machine_capacity = {};  // {"cpu": "2", "memory": "24Gi"}
    TokenSource tokens = {};
    Duration lease_period = Duration::seconds(10);  // zero: no leases (simulation)
    Duration status_period = Duration::minutes(5);
    int kubelet_port = 10250;
    std::function<Value()> images = {};  // status.images
  };
  NodeHost(cluster::Cluster& cluster, Driver& driver, Images& images, Options options);
  ~NodeHost();

  void start(std::function<void(Result<void>)> done);

  // A node without power: its containers die, its heartbeats stop. With power it comes back empty.
  void set_power(const std::string& node, bool on);
  bool has_power(const std::string& node) const;

  // Ends every container here without touching the objects (`down`): they run again after the
  // next start.
  void stop_everything(std::function<void()> done);

  std::vector<ContainerSample> samples();
  std::vector<StandInUse> stand_ins() const;
  // What is wrong and does not mend itself, a line each.
  std::vector<std::string> problems() const;
  const PodRunner* find(const std::string& pod_uid) const;
  std::vector<std::string> nodes() const;
  std::size_t pods() const { return runners_.size(); }
  Driver& driver() { return driver_; }

 private:
  struct Node {
    std::unique_ptr<NodeContext> context;
    bool power = true;
    bool lease_made = false;
    Instant reported_at;
    std::shared_ptr<void> timer;
    bool reporting = false;
  };
  void node_changed(const Value& before, const Value& after);
  void pod_changed(const Value& before, const Value& after);
  void begin(const Value& pod);
  void beat(const std::string& name);
  void renew_lease(const std::string& name, const Value& node);
  void report_node(const std::string& name);
  void end_orphans();
  void end_orphan(const std::string& uid);
  void refresh_models();
  void refresh_model(const Value& pod);

  cluster::Cluster& cluster_;
  Driver& driver_;
  Images& images_;
  Options options_;
  std::map<std::string, Node> nodes_;
  std::map<std::string, std::shared_ptr<PodRunner>> runners_;  // by pod uid
  std::map<std::string, Value> models_;                        // told to stand-ins, by run id
  std::map<std::string, RecoveredPod> recovered_;              // not yet claimed
  std::unique_ptr<NodeContext> orphanage_;                     // of pods whose object is gone
  std::vector<std::shared_ptr<void>> watches_;
  std::shared_ptr<void> orphans_timer_, stop_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::node
