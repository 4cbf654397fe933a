// The words in which the scheduler says why a pod does not fit: those of Kubernetes, because
// people and tools search for them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sched/node_info.h"
#include "sched/status.h"

namespace keelson::sched {

using NodeStatus = std::pair<const NodeInfo*, Status>;

// "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s)." Counts are
// sorted as text. `absent` speaks for the nodes without an entry in `verdicts`.
std::string fit_message(std::size_t nodes_total, const std::vector<NodeStatus>& verdicts,
                        const Status& absent);
// When a pre-filter spoke for all nodes at once.
std::string pre_filter_message(std::size_t nodes_total, const Status& pre_filter);
// As an event carries it: at most 1024 bytes.
std::string event_note(const std::string& message);

}  // namespace keelson::sched
