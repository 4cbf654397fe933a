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

#include <array>
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
  // The node of that id; null if it is gone or not known yet.
  const NodeInfo* node_by_id(std::uint32_t id) const;
  std::uint32_t ids_end() const { return static_cast<std::uint32_t>(by_id_.size()); }

  // The values of one node label, numbered from 1, by id of node; 0: the node has no such label.
  struct Topology {
    std::vector<std::uint32_t> value_of_node;
    std::uint32_t values_end = 1;  // numbers are below this
    std::uint32_t operator[](const NodeInfo& node) const { return value_of_node[node.id()]; }
  };
  // Valid until a node changes.
  const Topology& topology(std::string_view key) const;

  // How many pods on each node, by id, sorted. Ids of nodes that are not known occur.
  using NodeCounts = std::vector<std::pair<std::uint32_t, std::int64_t>>;
  // Pods that selectors cannot tell apart; counting goes over these, not over pods.
  struct PodGroup {
    PodPointer example;
    NodeCounts nodes;
  };
  using PodGroups = std::map<std::string, PodGroup, std::less<>>;
  const PodGroups& pod_groups() const { return pod_groups_; }
  // Equal affinity terms of pods on nodes.
  struct TermGroup {
    AffinityTerm term;
    NodeCounts nodes;
  };
  enum TermKind : std::uint8_t {
    required_affinity,
    required_anti_affinity,
    preferred_affinity,
    preferred_anti_affinity
  };
  using TermGroups = std::map<std::string, TermGroup, std::less<>>;
  const TermGroups& term_groups(TermKind kind) const { return term_groups_[kind]; }

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
  using Infos = std::map<std::string, std::unique_ptr<NodeInfo>, std::less<>>;
  NodeInfo& entry(const std::string& name);
  void drop_if_unused(Infos::iterator it);
  void leave_zone(const NodeInfo& info);
  void add_images(const NodeInfo& info);
  void drop_images(const NodeInfo& info);
  void count_pod(const PodPointer& pod, std::uint32_t node, int sign);

  Infos infos_;
  std::vector<Zone> zones_;
  std::map<std::string, Placed, std::less<>> pods_;  // by uid
  std::map<std::string, Image, std::less<>> images_;
  std::map<std::string, std::size_t, std::less<>> claims_;
  std::map<std::string, std::vector<PodPointer>, std::less<>> nominated_;  // by node
  std::map<std::string, std::string, std::less<>> nominations_;            // uid to node

  std::vector<NodeInfo*> by_id_;
  PodGroups pod_groups_;
  std::array<TermGroups, 4> term_groups_;

  mutable std::map<std::string, Topology, std::less<>> topologies_;
  mutable bool stale_ = false;
  mutable std::vector<const NodeInfo*> order_;
};

}  // namespace keelson::sched
