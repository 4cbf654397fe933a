// Spread as Kubernetes' plugins/podtopologyspread: hard constraints filter, soft ones score.
#include "sched/plugins/pod_topology_spread.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sched/plugins/spread_constraints.h"

namespace keelson::sched {
namespace {

constexpr std::int64_t kNoDomain = std::numeric_limits<std::int32_t>::max();

// The two domains with the fewest pods. Kept with the original's approximation: a domain that
// falls out of the two and shrinks again is seen only when it is updated.
struct FewestTwo {
  struct Entry {
    std::uint32_t value = 0;
    std::int64_t count = kNoDomain;
  };
  Entry first, second;

  void update(std::uint32_t value, std::int64_t count) {
    if (value == first.value || value == second.value) {
      (value == first.value ? first : second).count = count;
      if (first.count > second.count) std::swap(first, second);
    } else if (count < first.count) {
      second = first;
      first = {value, count};
    } else if (count < second.count) {
      second = {value, count};
    }
  }
};

// One constraint with what was counted for it.
struct Spread {
  SpreadConstraint constraint;
  const Snapshot::Topology* topology = nullptr;
  std::vector<std::int64_t> on_node;  // pods it selects, by id of node
  // Pods in each domain, by the number of its value; kAbsent where there is no domain.
  std::vector<std::int64_t> in_domain;
  std::int64_t domains = 0;

  static constexpr std::int64_t kAbsent = -1;

  Spread(SpreadConstraint given, const Cycle& cycle)
      : constraint(std::move(given)),
        topology(&cycle.snapshot.topology(constraint.topology_key)),
        on_node(constraint.count(cycle.snapshot, cycle.pod.namespace_)),
        in_domain(topology->values_end, kAbsent) {}

  bool has_label(const NodeInfo& node) const { return (*topology)[node] != 0; }
  std::int64_t& open_domain(std::uint32_t value) {
    if (in_domain[value] == kAbsent) {
      in_domain[value] = 0;
      ++domains;
    }
    return in_domain[value];
  }
};

bool labelled(const std::vector<Spread>& spreads, const NodeInfo& node) {
  return std::all_of(spreads.begin(), spreads.end(),
                     [&](const Spread& spread) { return spread.has_label(node); });
}

struct Hard : State {
  explicit Hard(const Value& spec) : affinity(std::make_shared<RequiredNodeAffinity>(spec)) {}
  std::shared_ptr<State> clone() const override { return std::make_shared<Hard>(*this); }

  std::vector<Spread> spreads;
  std::vector<bool> selects_self;
  std::vector<FewestTwo> fewest;
  std::shared_ptr<const RequiredNodeAffinity> affinity;
};

struct Soft : State {
  std::vector<Spread> spreads;
  bool all_labels_needed = false;
  std::vector<double> weights;  // more domains weigh more
  bool ignores(const NodeInfo& node) const { return all_labels_needed && !labelled(spreads, node); }
};

void move_pod(const Cycle& cycle, State* state, const PodInfo& pod, const NodeInfo& node,
              std::int64_t delta) {
  auto& hard = *static_cast<Hard*>(state);
  if (pod.namespace_ != cycle.pod.namespace_ || !labelled(hard.spreads, node)) return;
  for (std::size_t i = 0; i < hard.spreads.size(); ++i) {
    Spread& spread = hard.spreads[i];
    if (!spread.constraint.selects(pod.labels) ||
        !spread.constraint.includes(cycle.pod, *hard.affinity, node))
      continue;
    const std::uint32_t value = (*spread.topology)[node];
    hard.fewest[i].update(value, spread.open_domain(value) += delta);
  }
}

}  // namespace

Status PodTopologySpread::pre_filter(const Cycle& cycle, PreFilter& out) const {
  auto own = own_constraints(cycle.pod, "DoNotSchedule");
  if (!own.ok()) return Status::error("get constraints from pod: " + own.error().message);
  if (own->empty()) return Status::skip();
  auto hard = std::make_shared<Hard>(cycle.pod.spec());
  for (SpreadConstraint& constraint : *own) {
    hard->selects_self.push_back(constraint.selects(cycle.pod.labels));
    hard->spreads.emplace_back(std::move(constraint), cycle);
  }
  for (const NodeInfo* node : cycle.snapshot.nodes()) {
    if (!labelled(hard->spreads, *node)) continue;
    for (Spread& spread : hard->spreads)
      if (spread.constraint.includes(cycle.pod, *hard->affinity, *node))
        spread.open_domain((*spread.topology)[*node]) += spread.on_node[node->id()];
  }
  hard->fewest.resize(hard->spreads.size());
  for (std::size_t i = 0; i < hard->spreads.size(); ++i) {
    const auto& domains = hard->spreads[i].in_domain;
    for (std::uint32_t value = 1; value < domains.size(); ++value)
      if (domains[value] != Spread::kAbsent) hard->fewest[i].update(value, domains[value]);
  }
  out.state = std::move(hard);
  return {};
}

Status PodTopologySpread::filter(const Cycle&, const State* state, const NodeInfo& node) const {
  const auto& hard = *static_cast<const Hard*>(state);
  for (std::size_t i = 0; i < hard.spreads.size(); ++i) {
    const Spread& spread = hard.spreads[i];
    const std::uint32_t value = (*spread.topology)[node];
    if (value == 0)
      return Status::unresolvable(
          "node(s) didn't match pod topology spread constraints (missing required label)");
    const std::int64_t fewest =
        spread.domains < spread.constraint.domains_min ? 0 : hard.fewest[i].first.count;
    const std::int64_t count = std::max<std::int64_t>(spread.in_domain[value], 0);
    if (count + (hard.selects_self[i] ? 1 : 0) - fewest > spread.constraint.skew_max)
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
  std::vector<SpreadConstraint> constraints;
  if (soft->all_labels_needed) {
    auto own = own_constraints(cycle.pod, "ScheduleAnyway");
    if (!own.ok())
      return Status::error("obtaining pod's soft topology spread constraints: " +
                           own.error().message);
    constraints = std::move(own).value();
  } else {
    constraints = default_constraints(cycle.view, cycle.pod);
  }
  if (constraints.empty()) return Status::skip();
  for (SpreadConstraint& constraint : constraints)
    soft->spreads.emplace_back(std::move(constraint), cycle);
  std::size_t considered = 0;
  for (const NodeInfo* node : nodes) {
    if (soft->ignores(*node)) continue;
    ++considered;
    // Under the system's constraints nodes without the label make a domain of their own: value 0.
    for (Spread& spread : soft->spreads) spread.open_domain((*spread.topology)[*node]);
  }
  const RequiredNodeAffinity affinity(cycle.pod.spec());
  for (Spread& spread : soft->spreads) {
    // Each host is a domain, whatever the label says.
    const bool host = spread.constraint.topology_key == kHostnameLabel;
    const auto domains = host ? static_cast<std::int64_t>(considered) : spread.domains;
    soft->weights.push_back(std::log(static_cast<double>(domains + 2)));
  }
  for (const NodeInfo* node : cycle.snapshot.nodes()) {
    if (soft->ignores(*node)) continue;
    for (Spread& spread : soft->spreads) {
      std::int64_t& domain = spread.in_domain[(*spread.topology)[*node]];
      if (domain != Spread::kAbsent && spread.constraint.includes(cycle.pod, affinity, *node))
        domain += spread.on_node[node->id()];
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
  for (std::size_t i = 0; i < soft.spreads.size(); ++i) {
    const Spread& spread = soft.spreads[i];
    const std::uint32_t value = (*spread.topology)[node];
    if (value == 0) continue;
    const std::int64_t count = spread.constraint.topology_key == kHostnameLabel
                                   ? spread.on_node[node.id()]
                                   : spread.in_domain[value];
    sum += static_cast<double>(count) * soft.weights[i] +
           static_cast<double>(spread.constraint.skew_max - 1);
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
