// Where the pods of a DaemonSet belong: which nodes it runs on, what makes its pods tolerate them,
// and the one node each pod is meant for. Inside this folder only.
// Behaviour: pkg/controller/daemon/daemon_controller.go and util/daemonset_util.go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "codec/value.h"
#include "sched/node_selector.h"

namespace keelson::control::daemon {

using codec::Value;

struct Fit {
  bool should_run = false;  // a pod is to be made there
  bool may_stay = false;    // one that is there may go on
};
// Answers for many nodes what of one set depends on no node.
class Placement {
 public:
  explicit Placement(const Value& set);
  Fit fit(const Value& node) const;

 private:
  Value spec_;  // of its pods
  sched::RequiredNodeAffinity affinity_;
};

// spec.nodeName, or the node that the affinity names; empty if neither.
std::string target_node(const Value& pod);

// The set's template for a node, with tolerations, labels and affinity.
Value template_for(const Value& set, std::string_view node, std::string_view hash);

// The annotation deprecated.daemonset.template.generation.
std::optional<std::int64_t> template_generation(const Value& set);
bool pod_is_updated(const Value& set, const Value& pod, std::string_view hash);

// Of the nodes that should run a pod; percentages are rounded up, both.
std::int64_t max_surge(const Value& set, std::int64_t nodes);
std::int64_t max_unavailable(const Value& set, std::int64_t nodes);

}  // namespace keelson::control::daemon
