// RunPreFilterPlugins and RunFilterPluginsWithNominatedPods of Kubernetes' scheduling framework.
#include "sched/attempt.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"

namespace keelson::sched {

Attempt::States Attempt::States::clone() const {
  States copy{states, skipped};
  for (auto& state : copy.states)
    if (state)
      if (auto own = state->clone()) state = std::move(own);
  return copy;
}

void Attempt::narrow(const std::vector<std::string>& names, std::string_view plugin) {
  only_nodes_plugins_.emplace_back(plugin);
  std::sort(only_nodes_plugins_.begin(), only_nodes_plugins_.end());
  if (!only_nodes_) {
    only_nodes_ = names;
    return;
  }
  std::vector<std::string> both;
  std::set_intersection(only_nodes_->begin(), only_nodes_->end(), names.begin(), names.end(),
                        std::back_inserter(both));
  only_nodes_ = std::move(both);
}

Status Attempt::pre_filter() {
  const std::size_t count = profile_.filters.size();
  states_.states.assign(count, nullptr);
  states_.skipped.assign(count, false);
  Status rejected;
  for (std::size_t i = 0; i < count; ++i) {
    const Plugin& plugin = *profile_.filters[i];
    PreFilter out;
    Status status = plugin.pre_filter(cycle_, out);
    states_.states[i] = std::move(out.state);
    if (status.code == Code::skip) {
      states_.skipped[i] = true;
      continue;
    }
    status.plugin = plugin.name();
    if (status.code == Code::error) {
      return Status::error("running PreFilter plugin " + quote(plugin.name()) + ": " +
                           status.message());
    }
    if (status.code == Code::unresolvable) return status;
    if (status.code == Code::unschedulable) {
      rejected = std::move(status);
      continue;
    }
    if (!out.nodes) continue;
    narrow(*out.nodes, plugin.name());
    if (!only_nodes_->empty()) continue;
    const auto& names = only_nodes_plugins_;
    return Status::unresolvable(names.size() == 1 ? "node(s) didn't satisfy plugin " + names[0]
                                                  : "node(s) didn't satisfy plugin(s) [" +
                                                        join(names, " ") + "] simultaneously");
  }
  return rejected;
}

Status Attempt::filter_once(const States& states, const NodeInfo& node) const {
  for (std::size_t i = 0; i < profile_.filters.size(); ++i) {
    if (states.skipped[i]) continue;
    const Plugin& plugin = *profile_.filters[i];
    Status status = plugin.filter(cycle_, states.states[i].get(), node);
    if (status.ok()) continue;
    status.plugin = plugin.name();
    if (status.rejected()) return status;
    return Status::error("running " + quote(plugin.name()) + " filter plugin: " + status.message());
  }
  return {};
}

Status Attempt::filter(const States& states, const NodeInfo& node) const {
  std::vector<PodPointer> expected;
  for (const PodPointer& pod : cycle_.snapshot.nominated(node.name()))
    if (pod->priority >= cycle_.pod.priority && pod->uid != cycle_.pod.uid) expected.push_back(pod);
  if (!expected.empty()) {
    States with = states.clone();
    NodeInfo node_with = node;
    for (const PodPointer& pod : expected) add_pod(with, node_with, pod);
    if (Status status = filter_once(with, node_with); !status.ok()) return status;
  }
  return filter_once(states, node);
}

void Attempt::add_pod(States& states, NodeInfo& node, const PodPointer& pod) const {
  node.add_pod(pod);
  for (std::size_t i = 0; i < profile_.filters.size(); ++i)
    if (!states.skipped[i])
      profile_.filters[i]->pod_added(cycle_, states.states[i].get(), *pod, node);
}

void Attempt::remove_pod(States& states, NodeInfo& node, const PodPointer& pod) const {
  node.remove_pod(pod->uid);
  for (std::size_t i = 0; i < profile_.filters.size(); ++i)
    if (!states.skipped[i])
      profile_.filters[i]->pod_removed(cycle_, states.states[i].get(), *pod, node);
}

std::shared_ptr<State> Attempt::state_of(const Plugin& plugin) const {
  for (std::size_t i = 0; i < profile_.filters.size(); ++i)
    if (profile_.filters[i] == &plugin) return states_.states[i];
  return nullptr;
}

Status Attempt::post_filter() const {
  for (std::size_t i = 0; i < profile_.filters.size(); ++i) {
    Status status = profile_.filters[i]->post_filter(cycle_, states_.states[i].get());
    if (status.code != Code::skip) return status;
  }
  return Status::skip();
}

}  // namespace keelson::sched
