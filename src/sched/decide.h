// decide: where a pod goes, as a pure function of the snapshot. Nothing is bound, evicted or
// written here; the Scheduler does that, the golden player does not.
//
//   Decision d = decide(snapshot, view, *make_pod_info(pod), {}, rng);
//   if (d.outcome == Decision::Outcome::placed) bind(pod, d.node); else tell(pod, d.message);
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "sched/messages.h"
#include "sched/preemption.h"
#include "sched/profile.h"

namespace keelson::sched {

struct DecideOptions {
  // How many of the nodes to find fit before choosing, of a hundred; 0: fewer the larger the
  // cluster is. Below 100 nodes all are looked at.
  int percentage_of_nodes_to_score = 0;
  // The place in the order of nodes at which to begin; pass Decision::next_start of the last one.
  std::size_t start = 0;
  // Score even if one node fits, and keep the scores of each plug-in.
  bool explain = false;
};

struct Decision {
  enum class Outcome : std::uint8_t { placed, unschedulable, error };
  // What one plug-in gave, times its weight, for each of `feasible`.
  struct PluginScores {
    std::string_view plugin;
    std::vector<std::int64_t> scores;
  };

  Outcome outcome = Outcome::error;
  std::string node;     // placed: the chosen node
  std::string message;  // otherwise: the whole text, as the condition carries it
  std::vector<const NodeInfo*> feasible;
  std::vector<std::int64_t> totals;         // per feasible node; empty if not scored
  std::vector<PluginScores> plugin_scores;  // explain only
  std::vector<NodeStatus> verdicts;         // nodes that were looked at and do not fit
  Status absent;                            // what holds for those not looked at
  Status pre_filter;                        // not ok: no node was looked at
  std::vector<std::string> plugins;         // who said no, sorted
  Preemption preemption;
  bool clears_nomination = false;  // status.nominatedNodeName is to be emptied
  std::size_t next_start = 0;
};

Decision decide(const Snapshot& snapshot, const cluster::View& view, const PodInfo& pod,
                const DecideOptions& options, Prng& rng,
                const Profile& profile = default_profile());

// Whether the pod may enter the queue; not ok: it waits for a change.
Status pre_enqueue(const cluster::View& view, const PodInfo& pod,
                   const Profile& profile = default_profile());

// How many fitting nodes end the search.
std::size_t nodes_to_find(std::size_t nodes_total, int percentage);

}  // namespace keelson::sched
