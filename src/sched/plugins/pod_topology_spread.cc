// Spread as Kubernetes' plugins/podtopologyspread: hard constraints filter, soft ones score.
#include "sched/plugins/pod_topology_spread.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "sched/plugins/spread_constraints.h"

namespace keelson::sched {
namespace {

constexpr std::int64_t kNoDomain = std::numeric_limits<std::int32_t>::max();

// The two domains with the fewest pods. Kept with the original's approximation: a domain that
// falls out of the two and shrinks again is seen only when it is updated.
struct FewestTwo {
  struct Entry {
    std::string value;
    std::int64_t count = kNoDomain;
  };
  Entry first, second;

  void update(const std::string& value, std::int64_t count) {
    if (value == first.value || value == second.value) {
      (value == first.value ? first : second).count = count;
      if (first.count > second.count) std::swap(first, second);
    } else if (count < first.count) {
      second = std::move(first);
      first = {value, count};
    } else if (count < second.count) {
      second = {value, count};
    }
  }
};

using Counts = std::map<std::string, std::int64_t, std::less<>>;

struct Hard : State {
  explicit Hard(const Value& spec) : affinity(std::make_shared<RequiredNodeAffinity>(spec)) {}
  std::shared_ptr<State> clone() const override { return std::make_shared<Hard>(*this); }

  std::vector<SpreadConstraint> constraints;
  std::vector<bool> selects_self;
  std::vector<Counts> counts;  // per constraint: matching pods by value of its key
  std::vector<FewestTwo> fewest;
  std::shared_ptr<const RequiredNodeAffinity> affinity;
};

struct Soft : State {
  std::vector<SpreadConstraint> constraints;
  bool all_labels_needed = false;
  std::vector<std::vector<std::int64_t>> by_node;  // per constraint: pods by id of node
  std::vector<Counts> counts;   // not of hostname, whose domain is the node itself
  std::vector<double> weights;  // more domains weigh more
  bool ignores(const NodeInfo& node) const {
    return all_labels_needed && !has_all_labels(node, constraints);
  }
};

void move_pod(const Cycle& cycle, State* state, const PodInfo& pod, const NodeInfo& node,
              std::int64_t delta) {
  auto& hard = *static_cast<Hard*>(state);
  if (pod.namespace_ != cycle.pod.namespace_ || !has_all_labels(node, hard.constraints)) return;
  for (std::size_t i = 0; i < hard.constraints.size(); ++i) {
    const SpreadConstraint& constraint = hard.constraints[i];
    if (!constraint.selects(pod.labels) || !constraint.includes(cycle.pod, *hard.affinity, node))
      continue;
    const std::string value = node.label(constraint.topology_key)->str();
    const std::int64_t count = hard.counts[i][value] += delta;
    hard.fewest[i].update(value, count);
  }
}

std::int64_t& count_of(Counts& counts, std::string_view value) {
  const auto it = counts.find(value);
  return it != counts.end() ? it->second : counts[std::string(value)];
}

}  // namespace

Status PodTopologySpread::pre_filter(const Cycle& cycle, PreFilter& out) const {
  auto own = own_constraints(cycle.pod, "DoNotSchedule");
  if (!own.ok()) return Status::error("get constraints from pod: " + own.error().message);
  if (own->empty()) return Status::skip();
  auto hard = std::make_shared<Hard>(cycle.pod.spec());
  hard->constraints = std::move(own).value();
  hard->counts.resize(hard->constraints.size());
  hard->fewest.resize(hard->constraints.size());
  for (const SpreadConstraint& constraint : hard->constraints)
    hard->selects_self.push_back(constraint.selects(cycle.pod.labels));
  std::vector<std::vector<std::int64_t>> by_node;
  for (const SpreadConstraint& constraint : hard->constraints)
    by_node.push_back(constraint.count(cycle.snapshot, cycle.pod.namespace_));
  for (const NodeInfo* node : cycle.snapshot.nodes()) {
    if (!has_all_labels(*node, hard->constraints)) continue;
    for (std::size_t i = 0; i < hard->constraints.size(); ++i) {
      const SpreadConstraint& constraint = hard->constraints[i];
      if (!constraint.includes(cycle.pod, *hard->affinity, *node)) continue;
      count_of(hard->counts[i], node->label(constraint.topology_key)->as_string()) +=
          by_node[i][node->id()];
    }
  }
  for (std::size_t i = 0; i < hard->constraints.size(); ++i)
    for (const auto& [value, count] : hard->counts[i]) hard->fewest[i].update(value, count);
  out.state = std::move(hard);
  return {};
}

Status PodTopologySpread::filter(const Cycle&, const State* state, const NodeInfo& node) const {
  const auto& hard = *static_cast<const Hard*>(state);
  for (std::size_t i = 0; i < hard.constraints.size(); ++i) {
    const SpreadConstraint& constraint = hard.constraints[i];
    const Value* value = node.label(constraint.topology_key);
    if (!value)
      return Status::unresolvable(
          "node(s) didn't match pod topology spread constraints (missing required label)");
    const auto domains = static_cast<std::int64_t>(hard.counts[i].size());
    const std::int64_t fewest = domains < constraint.domains_min ? 0 : hard.fewest[i].first.count;
    const auto here = hard.counts[i].find(value->as_string());
    const std::int64_t count = here == hard.counts[i].end() ? 0 : here->second;
    if (count + (hard.selects_self[i] ? 1 : 0) - fewest > constraint.skew_max)
      return Status::unschedulable("node(s) didn't match pod topology spread constraints");
  }
  return {};
}

void PodTopologySpread::pod_added(const Cycle& cycle, State* state, const PodInfo& pod,
                                  const NodeInfo& node) const {
  move_pod(cycle, state, pod, node, 1);
}

void PodTopologySpread::pod_removed(const Cycle& cycle, State* state, const PodInfo& pod,
                                    const NodeInfo& node) const {
  move_pod(cycle, state, pod, node, -1);
}

Status PodTopologySpread::pre_score(const Cycle& cycle, std::span<const NodeInfo* const> nodes,
                                    std::shared_ptr<State>& state) const {
  auto soft = std::make_shared<Soft>();
  soft->all_labels_needed = !cycle.pod.spec()["topologySpreadConstraints"].empty();
  if (soft->all_labels_needed) {
    auto own = own_constraints(cycle.pod, "ScheduleAnyway");
    if (!own.ok())
      return Status::error("obtaining pod's soft topology spread constraints: " +
                           own.error().message);
    soft->constraints = std::move(own).value();
  } else {
    soft->constraints = default_constraints(cycle.view, cycle.pod);
  }
  if (soft->constraints.empty()) return Status::skip();
  const std::size_t size = soft->constraints.size();
  soft->counts.resize(size);
  std::size_t considered = 0;
  for (const NodeInfo* node : nodes) {
    if (soft->ignores(*node)) continue;
    ++considered;
    for (std::size_t i = 0; i < size; ++i) {
      const std::string& key = soft->constraints[i].topology_key;
      if (key == kHostnameLabel) continue;
      const Value* value = node->label(key);
      count_of(soft->counts[i], value ? value->as_string() : std::string_view());
    }
  }
  for (std::size_t i = 0; i < size; ++i) {
    const bool host = soft->constraints[i].topology_key == kHostnameLabel;
    const std::size_t domains = host ? considered : soft->counts[i].size();
    soft->weights.push_back(std::log(static_cast<double>(domains + 2)));
  }
  for (const SpreadConstraint& constraint : soft->constraints)
    soft->by_node.push_back(constraint.count(cycle.snapshot, cycle.pod.namespace_));
  const RequiredNodeAffinity affinity(cycle.pod.spec());
  for (const NodeInfo* node : cycle.snapshot.nodes()) {
    if (soft->ignores(*node)) continue;
    for (std::size_t i = 0; i < size; ++i) {
      const SpreadConstraint& constraint = soft->constraints[i];
      const Value* value = node->label(constraint.topology_key);
      const auto domain = soft->counts[i].find(value ? value->as_string() : std::string_view());
      if (domain == soft->counts[i].end() || !constraint.includes(cycle.pod, affinity, *node))
        continue;
      domain->second += soft->by_node[i][node->id()];
    }
  }
  state = std::move(soft);
  return {};
}

std::int64_t PodTopologySpread::score(const Cycle&, const State* state,
                                      const NodeInfo& node) const {
  const auto& soft = *static_cast<const Soft*>(state);
  if (soft.ignores(node)) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < soft.constraints.size(); ++i) {
    const SpreadConstraint& constraint = soft.constraints[i];
    const Value* value = node.label(constraint.topology_key);
    if (!value) continue;
    const std::int64_t count = constraint.topology_key == kHostnameLabel
                                   ? soft.by_node[i][node.id()]
                                   : soft.counts[i].find(value->as_string())->second;
    sum +=
        static_cast<double>(count) * soft.weights[i] + static_cast<double>(constraint.skew_max - 1);
  }
  return static_cast<std::int64_t>(std::round(sum));
}

void PodTopologySpread::normalize(const Cycle&, const State* state,
                                  std::span<const NodeInfo* const> nodes,
                                  std::span<std::int64_t> scores) const {
  const auto& soft = *static_cast<const Soft*>(state);
  std::int64_t least = std::numeric_limits<std::int64_t>::max(), most = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (soft.ignores(*nodes[i])) continue;
    least = std::min(least, scores[i]);
    most = std::max(most, scores[i]);
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (soft.ignores(*nodes[i]))
      scores[i] = 0;
    else
      scores[i] = most == 0 ? kScoreMax : kScoreMax * (most + least - scores[i]) / most;
  }
}

bool PodTopologySpread::may_help(const PodInfo& pod, const Change& change) const {
  const auto own = own_constraints(pod, "DoNotSchedule");
  if (!own.ok()) return true;
  if (change.resource == "nodes") {
    const auto has_labels = [&](const Value& node) {
      return !node.is_null() && has_all_labels(NodeInfo(node), *own);
    };
    return has_labels(change.before) || has_labels(change.after);
  }
  if (change.resource != "pods") return false;
  const Value& other = change.removed() ? change.before : change.after;
  if (other["metadata"]["uid"].as_string() == pod.uid) return true;
  if (other["metadata"]["namespace"].as_string() != pod.namespace_) return false;
  return std::any_of(own->begin(), own->end(), [&](const SpreadConstraint& constraint) {
    return constraint.selects(other["metadata"]["labels"]) ||
           (!change.created() && constraint.selects(change.before["metadata"]["labels"]));
  });
}

}  // namespace keelson::sched
