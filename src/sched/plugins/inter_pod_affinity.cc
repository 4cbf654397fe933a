// Affinity between pods as Kubernetes' plugins/interpodaffinity. Matching pods are counted by
// topology: key and value of a node label.
#include "sched/plugins/inter_pod_affinity.h"

#include <algorithm>
#include <limits>
#include <map>

namespace keelson::sched {
namespace {

// Weight of the required terms of existing pods in the score.
constexpr std::int64_t kHardAffinityWeight = 1;

// Topology key, then value, to a count or a score.
using Topology =
    std::map<std::string, std::map<std::string, std::int64_t, std::less<>>, std::less<>>;

void add(Topology& topology, const NodeInfo& node, const std::string& key, std::int64_t amount) {
  const Value* value = node.label(key);
  if (!value) return;
  auto& values = topology[key];
  const auto it = values.find(value->as_string());
  if (it != values.end())
    it->second += amount;
  else
    values.emplace(value->str(), amount);
}

std::int64_t at(const Topology& topology, std::string_view key, std::string_view value) {
  const auto values = topology.find(key);
  if (values == topology.end()) return 0;
  const auto it = values->second.find(value);
  return it == values->second.end() ? 0 : it->second;
}

bool all_zero(const Topology& topology) {
  for (const auto& [key, values] : topology)
    for (const auto& [value, count] : values)
      if (count != 0) return false;
  return true;
}

struct Filtering : State {
  std::shared_ptr<State> clone() const override { return std::make_shared<Filtering>(*this); }
  std::vector<AffinityTerm> affinity, anti_affinity;  // of the pod, namespaces merged
  Value namespace_labels;                             // of the pod's namespace
  // Pods that match all affinity terms; that match an anti-affinity term; and existing pods whose
  // anti-affinity term matches the pod.
  Topology affine, repelled, repelling;

  void count(const Cycle& cycle, const PodInfo& other, const NodeInfo& node, std::int64_t sign) {
    for (const AffinityTerm& term : other.required_anti_affinity)
      if (term_matches(term, cycle.pod, namespace_labels))
        add(repelling, node, term.topology_key, sign);
    count_own(other, node, sign);
  }
  void count_own(const PodInfo& other, const NodeInfo& node, std::int64_t sign) {
    if (matches_all_terms(affinity, other))
      for (const AffinityTerm& term : affinity) add(affine, node, term.topology_key, sign);
    for (const AffinityTerm& term : anti_affinity)
      if (term_matches(term, other, Value())) add(repelled, node, term.topology_key, sign);
  }
};

struct Scoring : State {
  Topology scores;
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

void score_terms(Topology& scores, const std::vector<AffinityTerm>& terms, const PodInfo& pod,
                 const Value& namespace_labels, const NodeInfo& node, std::int64_t factor) {
  for (const AffinityTerm& term : terms)
    if (term_matches(term, pod, namespace_labels))
      add(scores, node, term.topology_key, term.weight * factor);
}

}  // namespace

Status InterPodAffinity::pre_filter(const Cycle& cycle, PreFilter& out) const {
  if (!cycle.pod.parse_error.empty())
    return Status::unresolvable("parsing pod: " + cycle.pod.parse_error);
  auto state = std::make_shared<Filtering>();
  state->affinity = with_namespaces(cycle.view, cycle.pod.required_affinity);
  state->anti_affinity = with_namespaces(cycle.view, cycle.pod.required_anti_affinity);
  state->namespace_labels = namespace_labels_of(cycle.view, cycle.pod);
  for (const NodeInfo* node : cycle.snapshot.nodes_with_required_anti_affinity())
    for (const PodPointer& other : node->pods_with_required_anti_affinity())
      for (const AffinityTerm& term : other->required_anti_affinity)
        if (term_matches(term, cycle.pod, state->namespace_labels))
          add(state->repelling, *node, term.topology_key, 1);
  const bool own = !state->affinity.empty() || !state->anti_affinity.empty();
  if (!own && state->repelling.empty()) return Status::skip();
  if (own)
    for (const NodeInfo* node : cycle.snapshot.nodes())
      for (const PodPointer& other : node->pods()) state->count_own(*other, *node, 1);
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
  const Status unmatched = Status::unresolvable("node(s) didn't match pod affinity rules");
  bool near = true;
  for (const AffinityTerm& term : counts.affinity) {
    const Value* value = node.label(term.topology_key);
    if (!value) return unmatched;
    if (at(counts.affine, term.topology_key, value->as_string()) <= 0) near = false;
  }
  // The first pod of a group that wants to be together may go anywhere.
  if (!near && !(all_zero(counts.affine) && matches_all_terms(counts.affinity, cycle.pod)))
    return unmatched;
  for (const AffinityTerm& term : counts.anti_affinity) {
    const Value* value = node.label(term.topology_key);
    if (value && at(counts.repelled, term.topology_key, value->as_string()) > 0)
      return Status::unschedulable("node(s) didn't match pod anti-affinity rules");
  }
  for (const auto& [key, values] : counts.repelling) {
    const Value* value = node.label(key);
    if (value && at(counts.repelling, key, value->as_string()) > 0)
      return Status::unschedulable("node(s) didn't satisfy existing pods anti-affinity rules");
  }
  return {};
}

Status InterPodAffinity::pre_score(const Cycle& cycle, std::span<const NodeInfo* const>,
                                   std::shared_ptr<State>& state) const {
  const PodInfo& pod = cycle.pod;
  const auto affinity = with_namespaces(cycle.view, pod.preferred_affinity);
  const auto anti_affinity = with_namespaces(cycle.view, pod.preferred_anti_affinity);
  const bool own = !affinity.empty() || !anti_affinity.empty();
  const Value namespace_labels = namespace_labels_of(cycle.view, pod);
  auto scoring = std::make_shared<Scoring>();
  const auto& nodes = own ? cycle.snapshot.nodes() : cycle.snapshot.nodes_with_affinity();
  for (const NodeInfo* node : nodes) {
    for (const PodPointer& other : own ? node->pods() : node->pods_with_affinity()) {
      score_terms(scoring->scores, affinity, *other, Value(), *node, 1);
      score_terms(scoring->scores, anti_affinity, *other, Value(), *node, -1);
      if (!other->has_affinity) continue;
      for (const AffinityTerm& term : other->required_affinity)
        if (term_matches(term, pod, namespace_labels))
          add(scoring->scores, *node, term.topology_key, kHardAffinityWeight);
      score_terms(scoring->scores, other->preferred_affinity, pod, namespace_labels, *node, 1);
      score_terms(scoring->scores, other->preferred_anti_affinity, pod, namespace_labels, *node,
                  -1);
    }
  }
  if (scoring->scores.empty()) return Status::skip();
  state = std::move(scoring);
  return {};
}

std::int64_t InterPodAffinity::score(const Cycle&, const State* state, const NodeInfo& node) const {
  std::int64_t sum = 0;
  const Topology& scores = static_cast<const Scoring*>(state)->scores;
  for (const auto& [key, values] : scores)
    if (const Value* value = node.label(key)) sum += at(scores, key, value->as_string());
  return sum;
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
