// NodeInfo: a node with the pods on it and the sums over them, kept current pod by pod. A copy is
// cheap enough to try out removals on (preemption does).
#pragma once

#include <memory>
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
  const Value& node() const { return facts_->node; }
  void set_node(const Value& node);
  void clear_node();
  bool has_node() const { return !facts_->node.is_null(); }

  const std::string& name() const { return facts_->name; }
  // Given by the snapshot, never reused; small enough to index a table.
  std::uint32_t id() const { return id_; }
  void set_id(std::uint32_t id) { id_ = id; }
  const Value& labels() const { return facts_->labels; }
  // The label's text, or null if the node has no such label.
  const Value* label(std::string_view key) const { return facts_->labels.find(key); }
  bool unschedulable() const { return facts_->unschedulable; }
  const std::vector<Taint>& taints() const { return facts_->taints; }
  const Resources& allocatable() const { return facts_->allocatable; }
  // Names of the images it has, sorted, each once.
  const std::vector<std::string>& images() const { return facts_->images; }
  // Zone and region as one key; empty if it has neither.
  const std::string& zone_key() const { return facts_->zone_key; }

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
  // What the node object says; shared by copies.
  struct Facts {
    Value node;
    std::string name;
    Value labels;
    bool unschedulable = false;
    std::vector<Taint> taints;
    Resources allocatable;
    std::vector<std::string> images;
    std::string zone_key;
  };
  static std::shared_ptr<const Facts> no_facts();

  std::shared_ptr<const Facts> facts_ = no_facts();
  std::uint32_t id_ = 0;
  std::vector<PodPointer> pods_;
  Resources requested_;
  std::int64_t nonzero_cpu_ = 0, nonzero_memory_ = 0;
  std::vector<HostPort> ports_;  // sorted, each once
};

std::vector<Taint> parse_taints(const Value& node);
// As component-helpers' GetZoneKey: the deprecated labels win where both are present.
std::string zone_key_of(const Value& labels);

}  // namespace keelson::sched
