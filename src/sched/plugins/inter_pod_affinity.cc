// Affinity between pods as Kubernetes' plugins/interpodaffinity. Matching pods are counted by
// topology: key and value of a node label.
#include "sched/plugins/inter_pod_affinity.h"

#include <algorithm>
#include <limits>

namespace keelson::sched {
namespace {

// Weight of the required terms of existing pods in the score.
constexpr std::int64_t kHardAffinityWeight = 1;

// Counts or scores by topology: for each key (few) by the number of its value.
class Counts {
 public:
  void add(const Snapshot& snapshot, const NodeInfo& node, const std::string& key,
           std::int64_t amount) {
    Entry& entry = entry_of(snapshot, key);
    entry.add((*entry.topology)[node], amount, touched_);
  }
  // Adds the amount for each pod of a group, on the nodes where they are.
  void add_group(const Snapshot& snapshot, const Snapshot::NodeCounts& nodes,
                 const std::string& key, std::int64_t amount) {
    Entry& entry = entry_of(snapshot, key);
    for (const auto& [id, count] : nodes)
      entry.add(entry.topology->value_of_node[id], amount * count, touched_);
  }
  std::int64_t at(const NodeInfo& node, std::string_view key) const {
    for (const Entry& entry : entries_)
      if (entry.key == key) return entry.at(node);
    return 0;
  }
  std::int64_t sum(const NodeInfo& node) const {
    std::int64_t sum = 0;
    for (const Entry& entry : entries_) sum += entry.at(node);
    return sum;
  }
  bool any_positive(const NodeInfo& node) const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [&](const Entry& entry) { return entry.at(node) > 0; });
  }
  bool all_zero() const {
    return std::all_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
      return std::all_of(entry.by_value.begin(), entry.by_value.end(),
                         [](std::int64_t count) { return count == 0; });
    });
  }
  // Nothing was ever added on a node with the label concerned.
  bool empty() const { return !touched_; }

 private:
  struct Entry {
    std::string key;
    const Snapshot::Topology* topology;
    std::vector<std::int64_t> by_value;
    void add(std::uint32_t value, std::int64_t amount, bool& touched) {
      if (value == 0) return;
      by_value[value] += amount;
      touched = true;
    }
    std::int64_t at(const NodeInfo& node) const {
      const std::uint32_t value = (*topology)[node];
      return value == 0 ? 0 : by_value[value];
    }
  };
  Entry& entry_of(const Snapshot& snapshot, const std::string& key) {
    for (Entry& entry : entries_)
      if (entry.key == key) return entry;
    const Snapshot::Topology& topology = snapshot.topology(key);
    return entries_.emplace_back(
        Entry{key, &topology, std::vector<std::int64_t>(topology.values_end, 0)});
  }
  std::vector<Entry> entries_;
  bool touched_ = false;
};

struct Filtering : State {
  std::shared_ptr<State> clone() const override { return std::make_shared<Filtering>(*this); }
  std::vector<AffinityTerm> affinity, anti_affinity;  // of the pod, namespaces merged
  Value namespace_labels;                             // of the pod's namespace
  // Pods that match all affinity terms; that match an anti-affinity term; and existing pods whose
  // anti-affinity term matches the pod.
  Counts affine, repelled, repelling;

  void count(const Cycle& cycle, const PodInfo& other, const NodeInfo& node, std::int64_t sign) {
    for (const AffinityTerm& term : other.required_anti_affinity)
      if (term_matches(term, cycle.pod, namespace_labels))
        repelling.add(cycle.snapshot, node, term.topology_key, sign);
    if (matches_all_terms(affinity, other))
      for (const AffinityTerm& term : affinity)
        affine.add(cycle.snapshot, node, term.topology_key, sign);
    for (const AffinityTerm& term : anti_affinity)
      if (term_matches(term, other, Value()))
        repelled.add(cycle.snapshot, node, term.topology_key, sign);
  }
};

struct Scoring : State {
  Counts scores;
};

// Names of the namespaces that the selector picks join the list. The selector stays, and later
// meets an empty label set: one made of NotIn or DoesNotExist alone then matches every namespace,
// as it does in Kubernetes 1.36.
std::vector<AffinityTerm> with_namespaces(const cluster::View& view,
                                          std::vector<AffinityTerm> terms) {
  for (AffinityTerm& term : terms) {
    if (term.namespace_selector.matches_everything() || term.namespace_selector.matches_nothing())
      continue;
    for (const Value& ns : view.list("namespaces"))
      if (term.namespace_selector.matches(ns["metadata"]["labels"]))
        term.namespaces.push_back(ns["metadata"]["name"].str());
    std::sort(term.namespaces.begin(), term.namespaces.end());
  }
  return terms;
}

Value namespace_labels_of(const cluster::View& view, const PodInfo& pod) {
  return view.get("namespaces", {}, pod.namespace_)["metadata"]["labels"];
}

// The pod's own preferences: every group of pods that a term matches attracts or repels it.
void score_own(const Cycle& cycle, const std::vector<AffinityTerm>& terms, std::int64_t sign,
               Counts& scores) {
  if (terms.empty()) return;
  for (const auto& [key, group] : cycle.snapshot.pod_groups())
    for (const AffinityTerm& term : terms)
      if (term_matches(term, *group.example, Value()))
        scores.add_group(cycle.snapshot, group.nodes, term.topology_key, sign * term.weight);
}

// The preferences of pods on nodes. `weight` 0: that of each term.
void score_existing(const Cycle& cycle, Snapshot::TermKind kind, const Value& namespace_labels,
                    std::int64_t sign, std::int64_t weight, Counts& scores) {
  for (const auto& [key, group] : cycle.snapshot.term_groups(kind))
    if (term_matches(group.term, cycle.pod, namespace_labels))
      scores.add_group(cycle.snapshot, group.nodes, group.term.topology_key,
                       sign * (weight != 0 ? weight : group.term.weight));
}

}  // namespace

Status InterPodAffinity::pre_filter(const Cycle& cycle, PreFilter& out) const {
  if (!cycle.pod.parse_error.empty())
    return Status::unresolvable("parsing pod: " + cycle.pod.parse_error);
  auto state = std::make_shared<Filtering>();
  state->affinity = with_namespaces(cycle.view, cycle.pod.required_affinity);
  state->anti_affinity = with_namespaces(cycle.view, cycle.pod.required_anti_affinity);
  state->namespace_labels = namespace_labels_of(cycle.view, cycle.pod);
  const Snapshot& snapshot = cycle.snapshot;
  for (const auto& [key, group] : snapshot.term_groups(Snapshot::required_anti_affinity))
    if (term_matches(group.term, cycle.pod, state->namespace_labels))
      state->repelling.add_group(snapshot, group.nodes, group.term.topology_key, 1);
  const bool own = !state->affinity.empty() || !state->anti_affinity.empty();
  if (!own && state->repelling.empty()) return Status::skip();
  if (own) {
    for (const auto& [key, group] : snapshot.pod_groups()) {
      if (matches_all_terms(state->affinity, *group.example))
        for (const AffinityTerm& term : state->affinity)
          state->affine.add_group(snapshot, group.nodes, term.topology_key, 1);
      for (const AffinityTerm& term : state->anti_affinity)
        if (term_matches(term, *group.example, Value()))
          state->repelled.add_group(snapshot, group.nodes, term.topology_key, 1);
    }
  }
  out.state = std::move(state);
  return {};
}

void InterPodAffinity::pod_added(const Cycle& cycle, State* state, const PodInfo& pod,
                                 const NodeInfo& node) const {
  static_cast<Filtering*>(state)->count(cycle, pod, node, 1);
}

void InterPodAffinity::pod_removed(const Cycle& cycle, State* state, const PodInfo& pod,
                                   const NodeInfo& node) const {
  static_cast<Filtering*>(state)->count(cycle, pod, node, -1);
}

Status InterPodAffinity::filter(const Cycle& cycle, const State* state,
                                const NodeInfo& node) const {
  const auto& counts = *static_cast<const Filtering*>(state);
  bool labelled = true, near = true;
  for (const AffinityTerm& term : counts.affinity) {
    if (!node.label(term.topology_key))
      labelled = false;
    else if (counts.affine.at(node, term.topology_key) <= 0)
      near = false;
  }
  // The first pod of a group that wants to be together may go anywhere.
  const auto first = [&] {
    return counts.affine.all_zero() && matches_all_terms(counts.affinity, cycle.pod);
  };
  if (!labelled || (!near && !first()))
    return Status::unresolvable("node(s) didn't match pod affinity rules");
  for (const AffinityTerm& term : counts.anti_affinity)
    if (counts.repelled.at(node, term.topology_key) > 0)
      return Status::unschedulable("node(s) didn't match pod anti-affinity rules");
  if (counts.repelling.any_positive(node))
    return Status::unschedulable("node(s) didn't satisfy existing pods anti-affinity rules");
  return {};
}

Status InterPodAffinity::pre_score(const Cycle& cycle, std::span<const NodeInfo* const>,
                                   std::shared_ptr<State>& state) const {
  const PodInfo& pod = cycle.pod;
  const auto affinity = with_namespaces(cycle.view, pod.preferred_affinity);
  const auto anti_affinity = with_namespaces(cycle.view, pod.preferred_anti_affinity);
  const Value labels = namespace_labels_of(cycle.view, pod);
  auto scoring = std::make_shared<Scoring>();
  Counts& scores = scoring->scores;
  score_own(cycle, affinity, 1, scores);
  score_own(cycle, anti_affinity, -1, scores);
  score_existing(cycle, Snapshot::required_affinity, labels, 1, kHardAffinityWeight, scores);
  score_existing(cycle, Snapshot::preferred_affinity, labels, 1, 0, scores);
  score_existing(cycle, Snapshot::preferred_anti_affinity, labels, -1, 0, scores);
  if (scoring->scores.empty()) return Status::skip();
  state = std::move(scoring);
  return {};
}

std::int64_t InterPodAffinity::score(const Cycle&, const State* state, const NodeInfo& node) const {
  return static_cast<const Scoring*>(state)->scores.sum(node);
}

void InterPodAffinity::normalize(const Cycle&, const State*, std::span<const NodeInfo* const>,
                                 std::span<std::int64_t> scores) const {
  if (scores.empty()) return;
  const auto [least, most] = std::minmax_element(scores.begin(), scores.end());
  const std::int64_t low = *least, range = *most - *least;
  for (std::int64_t& score : scores)
    score = range == 0 ? 0
                       : static_cast<std::int64_t>(
                             static_cast<double>(kScoreMax) *
                             (static_cast<double>(score - low) / static_cast<double>(range)));
}

bool InterPodAffinity::may_help(const PodInfo& pod, const Change& change) const {
  if (change.resource == "pods") {
    const Value& other = change.removed() ? change.before : change.after;
    if (other["metadata"]["uid"].as_string() == pod.uid) return true;
    return !other["spec"]["nodeName"].as_string().empty() ||
           !other["status"]["nominatedNodeName"].as_string().empty();
  }
  return (change.resource == "nodes" || change.resource == "namespaces") && !change.removed();
}

}  // namespace keelson::sched
