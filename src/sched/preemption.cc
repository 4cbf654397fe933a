// Trying out removals, and choosing among the nodes where they help.
#include "sched/preemption.h"

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::sched {
namespace {

constexpr std::size_t kCandidatesPercent = 10;
constexpr std::size_t kCandidatesMin = 100;
constexpr std::string_view kNotHelpful = "Preemption is not helpful for scheduling";

struct Budget {
  std::string namespace_;
  model::LabelSelector selector;
  Value disrupted;  // status.disruptedPods: already counted
  std::int64_t allowed = 0;
};

std::vector<Budget> budgets_of(const cluster::View& view) {
  std::vector<Budget> budgets;
  for (const Value& object : view.list("poddisruptionbudgets.policy")) {
    auto selector = model::LabelSelector::of(object["spec"]["selector"]);
    if (!selector.ok() || selector->matches_everything()) continue;
    budgets.push_back({std::string(model::namespace_of(object)), std::move(selector).value(),
                       object["status"]["disruptedPods"],
                       object["status"]["disruptionsAllowed"].as_int()});
  }
  return budgets;
}

// A pod without a start time counts as started now, that is, last.
std::int64_t start_of(const PodInfo& pod) {
  return pod.started.is_zero() ? std::numeric_limits<std::int64_t>::max()
                               : pod.started.unix_nanoseconds();
}

bool more_important(const PodPointer& a, const PodPointer& b) {
  if (a->priority != b->priority) return a->priority > b->priority;
  return start_of(*a) < start_of(*b);
}

// Splits victims, most important first, by whether evicting them all would violate a budget.
void split_by_budget(const std::vector<PodPointer>& victims, std::vector<Budget> budgets,
                     std::vector<PodPointer>& violating, std::vector<PodPointer>& others) {
  for (const PodPointer& pod : victims) {
    bool violated = false;
    for (Budget& budget : budgets) {
      if (pod->labels.empty() || budget.namespace_ != pod->namespace_ ||
          !budget.selector.matches(pod->labels) || budget.disrupted.has(pod->name))
        continue;
      if (--budget.allowed < 0) violated = true;
    }
    (violated ? violating : others).push_back(pod);
  }
}

Status select_victims(const Attempt& attempt, const NodeInfo& original,
                      const std::vector<Budget>& budgets, Preemption::Candidate& out) {
  const PodInfo& pod = attempt.cycle().pod;
  Attempt::States states = attempt.states().clone();
  NodeInfo node = original;
  std::vector<PodPointer> lesser;
  for (const PodPointer& other : original.pods())
    if (other->priority < pod.priority) lesser.push_back(other);
  if (lesser.empty()) return Status::unresolvable("No preemption victims found for incoming pod");
  for (const PodPointer& other : lesser) attempt.remove_pod(states, node, other);
  if (Status status = attempt.filter(states, node); !status.ok()) return status;
  std::stable_sort(lesser.begin(), lesser.end(), more_important);
  std::vector<PodPointer> violating, others;
  split_by_budget(lesser, budgets, violating, others);
  // Spare as many as fit beside the pod: first those with a budget to keep.
  const auto reprieve = [&](const PodPointer& other) {
    attempt.add_pod(states, node, other);
    if (attempt.filter(states, node).ok()) return true;
    attempt.remove_pod(states, node, other);
    out.victims.push_back(other);
    return false;
  };
  for (const PodPointer& other : violating)
    if (!reprieve(other)) ++out.violations;
  for (const PodPointer& other : others) reprieve(other);
  if (!violating.empty() && !others.empty())
    std::stable_sort(out.victims.begin(), out.victims.end(), more_important);
  if (out.victims.empty())
    return Status::error("expected at least one victim pod on node " + quote(node.name()));
  return {};
}

// The earliest start among the victims of the highest priority.
std::int64_t earliest_start(const std::vector<PodPointer>& victims) {
  std::int64_t priority = std::numeric_limits<std::int64_t>::min(), earliest = 0;
  for (const PodPointer& pod : victims) {
    if (pod->priority < priority) continue;
    const std::int64_t start = start_of(*pod);
    earliest = pod->priority > priority ? start : std::min(earliest, start);
    priority = pod->priority;
  }
  return earliest;
}

std::int64_t priority_sum(const std::vector<PodPointer>& victims) {
  std::int64_t sum = 0;
  // The offset makes every victim count, whatever its sign.
  for (const PodPointer& pod : victims) sum += pod->priority + (std::int64_t{1} << 31);
  return sum;
}

// The best candidates: each criterion thins out those that the one before left equal.
std::vector<const Preemption::Candidate*> best_of(
    const std::vector<Preemption::Candidate>& candidates) {
  using Candidate = Preemption::Candidate;
  using Criterion = std::int64_t (*)(const Candidate&);
  static constexpr Criterion kCriteria[] = {
      [](const Candidate& c) { return -c.violations; },
      [](const Candidate& c) { return -c.victims[0]->priority; },
      [](const Candidate& c) { return -priority_sum(c.victims); },
      [](const Candidate& c) { return -static_cast<std::int64_t>(c.victims.size()); },
      [](const Candidate& c) { return earliest_start(c.victims); },
  };
  std::vector<const Candidate*> best;
  for (const Candidate& candidate : candidates) best.push_back(&candidate);
  for (const Criterion criterion : kCriteria) {
    std::int64_t most = std::numeric_limits<std::int64_t>::min();
    for (const Candidate* candidate : best) most = std::max(most, criterion(*candidate));
    std::erase_if(best, [&](const Candidate* c) { return criterion(*c) != most; });
    if (best.size() == 1) break;
  }
  return best;
}

bool leaves_for_preemption(const PodInfo& pod) {
  if (!pod.deleting) return false;
  const Value& condition = model::condition_of(pod.pod, "DisruptionTarget");
  return condition["status"].as_string() == "True" &&
         condition["reason"].as_string() == "PreemptionByScheduler";
}

}  // namespace

void check_eligible(const Cycle& cycle, const std::vector<NodeStatus>& verdicts,
                    const Status& absent, Preemption& out) {
  out.eligible = true;
  if (cycle.pod.spec()["preemptionPolicy"].as_string() == "Never") {
    out.eligible = false;
    out.why = "not eligible due to preemptionPolicy=Never.";
    return;
  }
  const std::string_view nominated = cycle.pod.nominated_node();
  if (nominated.empty()) return;
  Code verdict = absent.code == Code::success ? Code::unresolvable : absent.code;
  for (const auto& [node, status] : verdicts)
    if (node->name() == nominated) verdict = status.code;
  const NodeInfo* node = cycle.snapshot.node(nominated);
  // The room it was promised can no longer become free: it may look elsewhere.
  if (verdict == Code::unresolvable || !node) return;
  for (const PodPointer& other : node->pods()) {
    if (other->priority >= cycle.pod.priority || !leaves_for_preemption(*other)) continue;
    out.eligible = false;
    out.why = "not eligible due to a terminating pod on the nominated node.";
    return;
  }
}

void preempt(const Attempt& attempt, const std::vector<NodeStatus>& verdicts, Prng& rng,
             Preemption& out) {
  std::vector<const NodeInfo*> potential;
  for (const auto& [node, status] : verdicts)
    if (status.code == Code::unschedulable) potential.push_back(node);
  std::vector<std::string> errors;
  if (!potential.empty()) {
    const std::vector<Budget> budgets = budgets_of(attempt.cycle().view);
    const std::size_t wanted = std::min(
        potential.size(), std::max(kCandidatesMin, potential.size() * kCandidatesPercent / 100));
    const std::size_t offset = potential.size() > kCandidatesMin ? rng.below(potential.size()) : 0;
    bool harmless = false;  // some candidate violates no budget
    for (std::size_t i = 0; i < potential.size(); ++i) {
      if (harmless && out.candidates.size() >= wanted) break;
      const NodeInfo* node = potential[(offset + i) % potential.size()];
      Preemption::Candidate candidate{.node = node};
      Status status = select_victims(attempt, *node, budgets, candidate);
      if (status.ok()) {
        if (candidate.violations == 0) harmless = true;
        out.candidates.push_back(std::move(candidate));
        continue;
      }
      if (status.code == Code::error) errors.push_back(status.message());
      out.failed.emplace_back(node, std::move(status));
    }
  }
  if (!out.candidates.empty()) {
    const auto best = best_of(out.candidates);
    for (const auto* candidate : best) out.acceptable.push_back(candidate->node->name());
    std::sort(out.acceptable.begin(), out.acceptable.end());
    const auto* chosen = best[best.size() == 1 ? 0 : rng.below(best.size())];
    out.node = chosen->node->name();
    out.victims = chosen->victims;
    return;
  }
  if (!errors.empty()) {
    out.status = Status::error(errors.size() == 1 ? errors[0] : "[" + join(errors, ", ") + "]");
    return;
  }
  out.status =
      Status::unschedulable(fit_message(attempt.cycle().snapshot.nodes().size(), out.failed,
                                        Status::unresolvable(std::string(kNotHelpful))));
}

}  // namespace keelson::sched
