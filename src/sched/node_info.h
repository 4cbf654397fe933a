// NodeInfo: a node with the pods on it and the sums over them, kept current pod by pod. A copy is
// cheap enough to try out removals on (preemption does).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sched/pod_info.h"

namespace keelson::sched {

struct Taint {
  std::string key, value, effect;
};

class NodeInfo {
 public:
  NodeInfo() = default;
  explicit NodeInfo(const Value& node) { set_node(node); }
  // Null while pods of this node are known but the node itself is not (yet, or any more).
  const Value& node() const { return node_; }
  void set_node(const Value& node);
  void clear_node() { node_ = Value(); }
  bool has_node() const { return !node_.is_null(); }

  const std::string& name() const { return name_; }
  // Given by the snapshot, never reused; small enough to index a table.
  std::uint32_t id() const { return id_; }
  void set_id(std::uint32_t id) { id_ = id; }
  const Value& labels() const { return labels_; }
  // The label's text, or null if the node has no such label.
  const Value* label(std::string_view key) const { return labels_.find(key); }
  bool unschedulable() const { return unschedulable_; }
  const std::vector<Taint>& taints() const { return taints_; }
  const Resources& allocatable() const { return allocatable_; }
  // Names of the images it has, sorted, each once.
  const std::vector<std::string>& images() const { return images_; }
  // Zone and region as one key; empty if it has neither.
  const std::string& zone_key() const { return zone_key_; }

  void add_pod(PodPointer pod);
  // False if there is no pod with this uid.
  bool remove_pod(const std::string& uid);
  const std::vector<PodPointer>& pods() const { return pods_; }
  const Resources& requested() const { return requested_; }
  std::int64_t nonzero_cpu() const { return nonzero_cpu_; }
  std::int64_t nonzero_memory() const { return nonzero_memory_; }
  // True if some pod here holds the port on that address, or on all of them.
  bool port_conflicts(const HostPort& wanted) const;

 private:
  Value node_;
  std::uint32_t id_ = 0;
  std::string name_;
  Value labels_;
  bool unschedulable_ = false;
  std::vector<Taint> taints_;
  Resources allocatable_;
  std::vector<std::string> images_;
  std::string zone_key_;

  std::vector<PodPointer> pods_;
  Resources requested_;
  std::int64_t nonzero_cpu_ = 0, nonzero_memory_ = 0;
  std::vector<HostPort> ports_;  // sorted, each once
};

std::vector<Taint> parse_taints(const Value& node);
// As component-helpers' GetZoneKey: the deprecated labels win where both are present.
std::string zone_key_of(const Value& labels);

}  // namespace keelson::sched
