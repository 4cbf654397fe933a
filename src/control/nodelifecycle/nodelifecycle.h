// Node lifecycle: a node whose heartbeats stop becomes Unknown, its pods not ready; conditions
// become taints, NoSchedule at once and NoExecute at a rate that depends on how much of its zone is
// lost. Looks at all nodes every five seconds and at the taint queues every 100 ms while they hold
// anything. Behaviour: pkg/controller/nodelifecycle of Kubernetes 1.36;
// tests/golden/controllers/node.json.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "control/nodelifecycle/taint_queue.h"

namespace keelson::control {

struct NodeLifecycleOptions {
  Duration monitor_period = Duration::seconds(5), taint_period = Duration::milliseconds(100);
  Duration grace = Duration::seconds(50), startup_grace = Duration::seconds(60);
  double eviction_rate = 0.1, eviction_rate_secondary = 0.01;  // nodes a second
  std::int64_t cluster_size_large = 50;
  double unhealthy_share = 0.55;
};

class NodeLifecycleController : public cluster::Controller {
 public:
  explicit NodeLifecycleController(NodeLifecycleOptions options = {}) : options_(options) {}
  std::string_view name() const override { return "node-controller"; }
  std::vector<cluster::Watch> watches() const override;
  std::vector<cluster::Key> start(const cluster::View& view) override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  enum class ZoneState { initial, normal, partial, full };
  // What was seen of a node's heartbeats, and when, by our own clock: nodes' clocks may be off.
  struct Health {
    codec::Value ready;  // the condition as last seen; null: none
    Instant probed;
    Instant renewed;  // the lease's renewTime as last seen
  };
  struct Zone {
    ZoneState state = ZoneState::initial;
    TaintQueue queue;
  };
  // What one pass over all nodes comes to.
  struct Pass {
    cluster::Plan plan;
    Instant now;
    std::map<std::string, codec::Value> taints;  // of nodes whose taints change, as they will be
  };
  struct Judged {
    std::optional<std::string> before, after;  // status of Ready; nullopt: no such condition
    codec::Value status;                       // conditions to be written; null: none
  };

  void monitor(const cluster::View& view, Pass& pass);
  void meet_nodes(const std::vector<codec::Value>& nodes, Pass& pass);
  Judged judge(const cluster::View& view, const codec::Value& node, Instant now);
  void evict_by_taint(const codec::Value& node, const std::string& ready, Pass& pass);
  void mark_reachable(const codec::Value& node, Pass& pass);
  void weigh_zones(const std::map<std::string, std::vector<bool>>& ready_by_zone,
                   const std::vector<codec::Value>& nodes, Pass& pass);
  ZoneState state_of(const std::vector<bool>& ready) const;
  void limit_zone(Zone& zone, std::size_t size, ZoneState state, Instant now);
  void taint(const cluster::View& view, Pass& pass);
  void follow_conditions(const cluster::View& view, const std::string& node, Pass& pass);
  void follow_pod(const cluster::View& view, const cluster::Key& key, Pass& pass);
  Zone& zone_of(const codec::Value& node);

  NodeLifecycleOptions options_;
  std::map<std::string, Health> health_;
  std::map<std::string, codec::Value> known_;
  std::map<std::string, Zone> zones_;
  Instant monitor_due_, taint_due_;
};

}  // namespace keelson::control
