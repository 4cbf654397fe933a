// schedulePod and what surrounds it in Kubernetes' pkg/scheduler/schedule_one.go.
#include "sched/decide.h"

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "sched/attempt.h"

namespace keelson::sched {
namespace {

constexpr std::size_t kNodesToFindMin = 100;
constexpr std::size_t kPercentMin = 5;

void find_feasible(const Attempt& attempt, const std::vector<const NodeInfo*>& nodes,
                   const DecideOptions& options, Decision& decision) {
  const std::size_t wanted = nodes_to_find(nodes.size(), options.percentage_of_nodes_to_score);
  for (std::size_t i = 0; i < nodes.size() && decision.feasible.size() < wanted; ++i) {
    const NodeInfo* node = nodes[(options.start + i) % nodes.size()];
    Status status = attempt.filter(attempt.states(), *node);
    if (status.ok()) {
      decision.feasible.push_back(node);
    } else if (status.rejected()) {
      decision.verdicts.emplace_back(node, std::move(status));
    } else {
      decision.message = status.message();
      return;
    }
  }
}

// A pod that was promised a node takes it if it fits, without looking further.
bool try_nominated(const Attempt& attempt, Decision& decision) {
  const NodeInfo* node = attempt.cycle().snapshot.node(attempt.cycle().pod.nominated_node());
  if (!node || !attempt.filter(attempt.states(), *node).ok()) return false;
  decision.feasible.push_back(node);
  return true;
}

void score(const Attempt& attempt, const DecideOptions& options, Decision& decision) {
  const Cycle& cycle = attempt.cycle();
  const auto& nodes = decision.feasible;
  decision.totals.assign(nodes.size(), 0);
  std::vector<std::int64_t> scores(nodes.size());
  for (const auto& [plugin, weight] : attempt.profile().scorers) {
    std::shared_ptr<State> state = attempt.state_of(*plugin);
    const Status status = plugin->pre_score(cycle, nodes, state);
    if (status.code == Code::skip) continue;
    if (!status.ok()) {
      decision.message =
          "running PreScore plugin " + quote(plugin->name()) + ": " + status.message();
      return;
    }
    for (std::size_t i = 0; i < nodes.size(); ++i)
      scores[i] = plugin->score(cycle, state.get(), *nodes[i]);
    plugin->normalize(cycle, state.get(), nodes, scores);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      scores[i] *= weight;
      decision.totals[i] += scores[i];
    }
    if (options.explain) decision.plugin_scores.push_back({plugin->name(), scores});
  }
}

// One of the best at random, each as likely as the others.
std::string choose(const Decision& decision, Prng& rng) {
  if (decision.totals.empty()) return decision.feasible[0]->name();
  const std::int64_t most = *std::max_element(decision.totals.begin(), decision.totals.end());
  std::vector<std::size_t> best;
  for (std::size_t i = 0; i < decision.totals.size(); ++i)
    if (decision.totals[i] == most) best.push_back(i);
  return decision.feasible[best[best.size() == 1 ? 0 : rng.below(best.size())]]->name();
}

void note_plugins(Decision& decision) {
  auto& plugins = decision.plugins;
  for (const auto& [node, status] : decision.verdicts)
    if (plugins.empty() || plugins.back() != status.plugin) plugins.emplace_back(status.plugin);
  if (!decision.pre_filter.ok()) plugins.emplace_back(decision.pre_filter.plugin);
  std::erase(plugins, std::string());
  std::sort(plugins.begin(), plugins.end());
  plugins.erase(std::unique(plugins.begin(), plugins.end()), plugins.end());
}

// After no node fitted: preemption, and the text.
void look_for_help(const Attempt& attempt, Prng& rng, Decision& decision) {
  const std::size_t total = attempt.cycle().snapshot.nodes().size();
  decision.outcome = Decision::Outcome::unschedulable;
  note_plugins(decision);
  decision.message = decision.pre_filter.ok()
                         ? fit_message(total, decision.verdicts, decision.absent)
                         : pre_filter_message(total, decision.pre_filter);
  Preemption& preemption = decision.preemption;
  check_eligible(attempt.cycle(), decision.verdicts, decision.absent, preemption);
  const Status devices = attempt.post_filter();
  if (devices.code == Code::error) {
    decision.message += " " + devices.message();
    return;
  }
  std::vector<std::string> reasons = devices.reasons();
  if (preemption.eligible) {
    preempt(attempt, decision.verdicts, rng, preemption);
    if (!preemption.node.empty()) return;
    if (preemption.status.code == Code::error) {
      decision.message += " preemption: " + preemption.status.message();
      return;
    }
    decision.clears_nomination = true;
    reasons.push_back("preemption: " + preemption.status.message());
  } else {
    reasons.push_back("preemption: " + preemption.why);
  }
  decision.message += " " + join(reasons, ", ");
}

}  // namespace

std::size_t nodes_to_find(std::size_t nodes_total, int percentage) {
  if (nodes_total < kNodesToFindMin) return nodes_total;
  std::size_t percent = percentage > 0 ? static_cast<std::size_t>(percentage) : 0;
  if (percent == 0) percent = nodes_total / 125 >= 50 ? 0 : 50 - nodes_total / 125;
  if (percentage <= 0) percent = std::max(percent, kPercentMin);
  return std::max(nodes_total * percent / 100, kNodesToFindMin);
}

Status pre_enqueue(const cluster::View& view, const PodInfo& pod, const Profile& profile) {
  for (const Plugin* plugin : profile.pre_enqueue) {
    Status status = plugin->pre_enqueue(view, pod);
    if (status.ok()) continue;
    status.plugin = plugin->name();
    return status;
  }
  return {};
}

Decision decide(const Snapshot& snapshot, const cluster::View& view, const PodInfo& pod,
                const DecideOptions& options, Prng& rng, const Profile& profile) {
  Decision decision;
  decision.next_start = options.start;
  const auto& all = snapshot.nodes();
  if (all.empty()) {
    decision.outcome = Decision::Outcome::unschedulable;
    decision.message = "no nodes available to schedule pods";
    decision.clears_nomination = true;
    return decision;
  }
  const Cycle cycle{snapshot, view, pod};
  Attempt attempt(profile, cycle);
  decision.clears_nomination = true;  // an error clears it; undone below where it stays
  decision.pre_filter = attempt.pre_filter();
  if (decision.pre_filter.code == Code::error) {
    decision.message = decision.pre_filter.message();
    return decision;
  }
  if (!decision.pre_filter.ok()) {
    decision.absent = decision.pre_filter;
    decision.clears_nomination = false;
    look_for_help(attempt, rng, decision);
    return decision;
  }
  if (pod.nominated_node().empty() || !try_nominated(attempt, decision)) {
    const auto& names = attempt.only_nodes();
    std::vector<const NodeInfo*> named;
    if (names) {
      for (const std::string& name : *names)
        if (const NodeInfo* node = snapshot.node(name)) named.push_back(node);
      decision.plugins = attempt.only_nodes_plugins();
      decision.absent = Status::unresolvable("node(s) didn't satisfy plugin(s) [" +
                                             join(decision.plugins, " ") + "]");
    }
    find_feasible(attempt, names ? named : all, options, decision);
    if (!decision.message.empty()) return decision;
    decision.next_start =
        (options.start + decision.feasible.size() + decision.verdicts.size()) % all.size();
  }
  decision.clears_nomination = false;
  if (decision.feasible.empty()) {
    look_for_help(attempt, rng, decision);
    return decision;
  }
  if (decision.feasible.size() > 1 || options.explain) score(attempt, options, decision);
  if (!decision.message.empty()) return decision;
  decision.outcome = Decision::Outcome::placed;
  decision.node = choose(decision, rng);
  return decision;
}

}  // namespace keelson::sched
