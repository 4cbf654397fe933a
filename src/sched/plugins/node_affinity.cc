// Node affinity as Kubernetes' plugins/nodeaffinity.
#include "sched/plugins/node_affinity.h"

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "sched/node_selector.h"

namespace keelson::sched {
namespace {

struct Required : State {
  explicit Required(const Value& spec) : affinity(spec) {}
  RequiredNodeAffinity affinity;
};

struct Preferred : State {
  struct Term {
    NodeSelectorTerm selector;
    std::int64_t weight;
  };
  std::vector<Term> terms;
};

using Names = std::vector<std::string>;

// The nodes a term names through metadata.name; nullopt if it names none.
std::optional<Names> names_of(const Value& term) {
  std::optional<Names> names;
  for (const Value& field : term["matchFields"].elements()) {
    if (field["key"].as_string() != "metadata.name" || field["operator"].as_string() != "In")
      continue;
    Names values;
    for (const Value& value : field["values"].elements()) values.push_back(value.str());
    std::sort(values.begin(), values.end());
    if (names) {
      Names both;
      std::set_intersection(names->begin(), names->end(), values.begin(), values.end(),
                            std::back_inserter(both));
      values = std::move(both);
    }
    names = std::move(values);
  }
  return names;
}

}  // namespace

Status NodeAffinity::pre_filter(const Cycle& cycle, PreFilter& out) const {
  const Value& spec = cycle.pod.spec();
  const Value& required =
      spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
  if (required.is_null() && spec["nodeSelector"].is_null()) return Status::skip();
  out.state = std::make_shared<Required>(spec);
  const auto& terms = required["nodeSelectorTerms"].elements();
  if (terms.empty()) return {};
  Names all;
  for (const Value& term : terms) {
    // One term that names no node lets every node come into question.
    const std::optional<Names> names = names_of(term);
    if (!names) return {};
    Names merged;
    std::set_union(all.begin(), all.end(), names->begin(), names->end(),
                   std::back_inserter(merged));
    all = std::move(merged);
  }
  if (all.empty()) return Status::unresolvable("pod affinity terms conflict");
  out.nodes = std::move(all);
  return {};
}

Status NodeAffinity::filter(const Cycle&, const State* state, const NodeInfo& node) const {
  if (static_cast<const Required*>(state)->affinity.matches(node)) return {};
  return Status::unresolvable("node(s) didn't match Pod's node affinity/selector");
}

Status NodeAffinity::pre_score(const Cycle& cycle, std::span<const NodeInfo* const>,
                               std::shared_ptr<State>& state) const {
  const Value& preferred =
      cycle.pod
          .spec()["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
  if (preferred.is_null()) return Status::skip();
  auto parsed = std::make_shared<Preferred>();
  std::vector<std::string> errors;
  const model::Path root = model::Path::root();
  for (std::size_t i = 0; i < preferred.size(); ++i) {
    const std::int64_t weight = preferred[i]["weight"].as_int();
    NodeSelectorTerm term(preferred[i]["preference"], root.index(i));
    if (weight == 0 || term.empty()) continue;
    errors.insert(errors.end(), term.errors().begin(), term.errors().end());
    parsed->terms.push_back({std::move(term), weight});
  }
  if (errors.size() == 1) return Status::error(errors[0]);
  if (!errors.empty()) return Status::error("[" + join(errors, ", ") + "]");
  state = std::move(parsed);
  return {};
}

std::int64_t NodeAffinity::score(const Cycle&, const State* state, const NodeInfo& node) const {
  std::int64_t sum = 0;
  for (const auto& term : static_cast<const Preferred*>(state)->terms)
    if (term.selector.matches(node.labels(), node.name())) sum += term.weight;
  return sum;
}

bool NodeAffinity::may_help(const PodInfo& pod, const Change& change) const {
  if (change.resource != "nodes" || change.removed()) return false;
  const RequiredNodeAffinity required(pod.spec());
  if (!required.matches(NodeInfo(change.after))) return false;
  return change.created() || !required.matches(NodeInfo(change.before));
}

}  // namespace keelson::sched
