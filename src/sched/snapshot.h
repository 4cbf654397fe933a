// Snapshot: the scheduler's picture of the cluster: nodes in the order in which they are tried,
// the pods on them (assumed ones too), and the pods nominated to nodes. Changes cost what changed;
// the order and the lists over all nodes are rebuilt on first use after a change.
//
// The order is that of the Kubernetes scheduler's node tree: zones in the order in which they were
// first seen, one node of each in turn.
//
//   snapshot.set_node(a1); snapshot.set_node(a2); snapshot.set_node(b1);   // zones a, a, b
//   snapshot.nodes()  ->  a1, b1, a2
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sched/node_info.h"

namespace keelson::sched {

class Snapshot {
 public:
  Snapshot() = default;
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  void set_node(const Value& node);
  void remove_node(const std::string& name);
  // Adds the pod to the node, or replaces what is known of it, wherever it was.
  void set_pod(PodPointer pod, const std::string& node);
  void remove_pod(const std::string& uid);
  // The pod as it counts on its node, or null.
  PodPointer pod(const std::string& uid) const;
  std::string node_of_pod(const std::string& uid) const;  // empty if it is on none

  // A pending pod that is to get the room freed on that node.
  void nominate(PodPointer pod, const std::string& node);
  void clear_nomination(const std::string& uid);
  const std::vector<PodPointer>& nominated(std::string_view node) const;
  std::string nomination_of(const std::string& uid) const;  // empty if there is none

  const std::vector<const NodeInfo*>& nodes() const;
  const std::vector<const NodeInfo*>& nodes_with_affinity() const;
  const std::vector<const NodeInfo*>& nodes_with_required_anti_affinity() const;
  const NodeInfo* node(std::string_view name) const;  // null if unknown
  // An image on nodes. Of nodes that disagree on its size the first one known is believed.
  struct Image {
    std::int64_t bytes = 0;
    std::size_t nodes = 0;
  };
  Image image(std::string_view name) const;  // no nodes if none has it
  // How many pods on nodes use this claim ("NAMESPACE/NAME").
  std::size_t claim_uses(std::string_view claim) const;

 private:
  struct Zone {
    std::string key;
    std::vector<std::string> nodes;
  };
  struct Placed {
    PodPointer pod;
    std::string node;
  };
  NodeInfo& entry(const std::string& name);
  void leave_zone(const NodeInfo& info);
  void add_images(const NodeInfo& info);
  void drop_images(const NodeInfo& info);
  void rebuild() const;

  std::map<std::string, std::unique_ptr<NodeInfo>, std::less<>> infos_;
  std::vector<Zone> zones_;
  std::map<std::string, Placed, std::less<>> pods_;  // by uid
  std::map<std::string, Image, std::less<>> images_;
  std::map<std::string, std::size_t, std::less<>> claims_;
  std::map<std::string, std::vector<PodPointer>, std::less<>> nominated_;  // by node
  std::map<std::string, std::string, std::less<>> nominations_;            // uid to node

  mutable bool stale_ = false;
  mutable std::vector<const NodeInfo*> order_, with_affinity_, with_anti_affinity_;
};

}  // namespace keelson::sched
