// Attempt: one pass of one pod through the plug-ins' filters, with the states they keep. Shared by
// the search for a node and by preemption, which tries removals on copies.
#pragma once

#include <memory>
#include <vector>

#include "sched/profile.h"

namespace keelson::sched {

class Attempt {
 public:
  // The states of all filter plug-ins, by their place in the profile.
  struct States {
    std::vector<std::shared_ptr<State>> states;
    std::vector<bool> skipped;
    States clone() const;
  };

  Attempt(const Profile& profile, const Cycle& cycle) : profile_(profile), cycle_(cycle) {}

  // Not ok: the pod fits nowhere (rejected) or the attempt failed (error).
  Status pre_filter();
  // Nodes to look at (sorted names) if a pre-filter named them, and the plug-ins that did.
  const std::optional<std::vector<std::string>>& only_nodes() const { return only_nodes_; }
  const std::vector<std::string>& only_nodes_plugins() const { return only_nodes_plugins_; }

  // Runs the filters: first as if the pods nominated to the node, of the same or higher priority,
  // were there; if that goes well and there are any, once more without them. Both must succeed.
  Status filter(const States& states, const NodeInfo& node) const;
  void add_pod(States& states, NodeInfo& node, const PodPointer& pod) const;
  void remove_pod(States& states, NodeInfo& node, const PodPointer& pod) const;
  // The first plug-in's answer that is not skip, or skip.
  Status post_filter() const;

  const States& states() const { return states_; }
  // The state that the plug-in's pre_filter left; null if there is none.
  std::shared_ptr<State> state_of(const Plugin& plugin) const;
  const Cycle& cycle() const { return cycle_; }
  const Profile& profile() const { return profile_; }

 private:
  Status filter_once(const States& states, const NodeInfo& node) const;
  void narrow(const std::vector<std::string>& names, std::string_view plugin);

  const Profile& profile_;
  const Cycle& cycle_;
  States states_;
  std::optional<std::vector<std::string>> only_nodes_;
  std::vector<std::string> only_nodes_plugins_;  // sorted
};

}  // namespace keelson::sched
