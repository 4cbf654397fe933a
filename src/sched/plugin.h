// The one shape of every scheduling plug-in. A plug-in is stateless and pure: what it computes
// once per attempt it puts into a State of its own, which the framework hands back to it. Order of
// calls, and the meaning of every answer, are those of the Kubernetes scheduling framework.
//
// A plug-in overrides only what it takes part in. It reads the snapshot and, for kinds that the
// snapshot does not hold (services, claims ...), the view.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "sched/snapshot.h"
#include "sched/status.h"

namespace keelson::sched {

// What a plug-in remembers during one attempt.
struct State {
  virtual ~State() = default;
  // A copy for trying out changes. Null means that the state does not change after pre_filter, so
  // that copies may share it.
  virtual std::shared_ptr<State> clone() const { return nullptr; }
};

// One attempt to place one pod.
struct Cycle {
  const Snapshot& snapshot;
  const cluster::View& view;
  const PodInfo& pod;
};

struct PreFilter {
  std::shared_ptr<State> state = {};
  // Set: only these nodes come into question (sorted names).
  std::optional<std::vector<std::string>> nodes = {};
};

// A change in the cluster that may let a waiting pod fit. before or after is null on creation and
// removal.
struct Change {
  std::string_view resource;  // "pods", "nodes", "persistentvolumeclaims" ...
  const Value& before;
  const Value& after;
  bool created() const { return before.is_null(); }
  bool removed() const { return after.is_null(); }
};

inline constexpr std::int64_t kScoreMax = 100;

class Plugin {
 public:
  virtual ~Plugin() = default;
  virtual std::string_view name() const = 0;

  // Whether the pod may enter the queue.
  virtual Status pre_enqueue(const cluster::View&, const PodInfo&) const { return {}; }

  // Skip: filter, pod_added and pod_removed are not called in this attempt.
  virtual Status pre_filter(const Cycle&, PreFilter&) const { return {}; }
  virtual Status filter(const Cycle&, const State*, const NodeInfo&) const { return {}; }
  // Keep the state current while pods are put on or taken off a node on trial.
  virtual void pod_added(const Cycle&, State*, const PodInfo&, const NodeInfo&) const {}
  virtual void pod_removed(const Cycle&, State*, const PodInfo&, const NodeInfo&) const {}

  // Called when no node fitted, before preemption is tried; `state` is null if pre_filter was not
  // reached. Skip: the plug-in has nothing to do here. An error ends the search for help.
  virtual Status post_filter(const Cycle&, const State*) const { return Status::skip(); }

  // `state` comes as pre_filter left it; a plug-in may go on with it or put another one there.
  // Skip: the plug-in does not score this pod. Those that never score skip always.
  virtual Status pre_score(const Cycle&, std::span<const NodeInfo* const>,
                           std::shared_ptr<State>&) const {
    return Status::skip();
  }
  virtual std::int64_t score(const Cycle&, const State*, const NodeInfo&) const { return 0; }
  // Brings the scores of all nodes into 0..kScoreMax.
  virtual void normalize(const Cycle&, const State*, std::span<const NodeInfo* const>,
                         std::span<std::int64_t>) const {}

  // Whether the change may help a pod that this plug-in turned down. Erring towards true costs an
  // attempt; erring towards false lets the pod wait until the next periodic flush.
  virtual bool may_help(const PodInfo&, const Change&) const { return true; }
};

// Scales to 0..kScoreMax by the greatest score; `reverse` turns it round.
void normalize_by_max(std::span<std::int64_t> scores, bool reverse);

}  // namespace keelson::sched
