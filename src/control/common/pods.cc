// Pod predicates, ranking and making; see pods.h.
#include "control/common/pods.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>

#include "base/text.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

// The ranking of pods by phase: what is not running yet goes first.
int phase_ordinal(const Value& pod) {
  const std::string_view phase = pod["status"]["phase"].as_string();
  if (phase == "Running") return 2;
  return phase == "Unknown" ? 1 : 0;
}

Instant ready_since(const Value& pod) {
  return model::time_of(model::condition_of(pod, "Ready")["lastTransitionTime"]);
}

// controller.kubernetes.io/pod-deletion-cost; a malformed one counts as 0.
std::int64_t deletion_cost(const Value& pod) {
  const std::string_view text =
      model::annotation_of(pod, "controller.kubernetes.io/pod-deletion-cost");
  // "+3" and "03" are refused by the original too.
  if (text.empty() || text[0] == '+' || (text[0] == '0' && text != "0")) return 0;
  const auto cost = parse_int(text);
  return cost && *cost >= INT32_MIN && *cost <= INT32_MAX ? *cost : 0;
}

struct Restarts {
  std::int64_t regular = 0, sidecar = 0;
};
Restarts restarts_of(const Value& pod) {
  Restarts most;
  for (const Value& status : pod["status"]["containerStatuses"].elements())
    most.regular = std::max(most.regular, status["restartCount"].as_int());
  for (const Value& container : pod["spec"]["initContainers"].elements()) {
    if (!model::is_sidecar(container)) continue;
    for (const Value& status : pod["status"]["initContainerStatuses"].elements())
      if (status["name"] == container["name"])
        most.sidecar = std::max(most.sidecar, status["restartCount"].as_int());
  }
  return most;
}

// Everything that the comparison of two pods reads, computed once per pod.
struct Candidate {
  const Value* pod = nullptr;
  bool bound = false, ready = false;
  int phase = 0, ready_rank = 0, age_rank = 0;
  std::int64_t cost = 0, company = 0;
  Instant ready_since, created;
  Restarts restarts;
};

Candidate candidate(const Value& pod,
                    const std::map<std::string, std::int64_t, std::less<>>& active, Instant now) {
  Candidate c;
  c.pod = &pod;
  const std::string_view node = pod["spec"]["nodeName"].as_string();
  c.bound = !node.empty();
  c.ready = model::pod_is_ready(pod);
  c.phase = phase_ordinal(pod);
  c.cost = deletion_cost(pod);
  if (const auto at = active.find(node); at != active.end()) c.company = at->second;
  c.created = model::creation_time_of(pod);
  c.age_rank = age_rank(now - c.created);
  if (c.ready) {
    c.ready_since = ready_since(pod);
    c.ready_rank = c.ready_since.is_zero() ? -1 : age_rank(now - c.ready_since);
  }
  c.restarts = restarts_of(pod);
  return c;
}

// Later or unknown comes first.
bool after_or_zero(Instant a, Instant b) {
  return a.is_zero() || b.is_zero() ? a.is_zero() : a > b;
}

bool goes_before(const Candidate& a, const Candidate& b) {
  const auto by_time = [&](Instant ta, Instant tb, int rank_a, int rank_b) {
    if (ta.is_zero() || tb.is_zero()) return after_or_zero(ta, tb);
    // Of equal rank the choice should look random: uids are.
    return rank_a != rank_b ? rank_a < rank_b : model::uid_of(*a.pod) < model::uid_of(*b.pod);
  };
  if (a.bound != b.bound) return !a.bound;
  if (a.phase != b.phase) return a.phase < b.phase;
  if (a.ready != b.ready) return !a.ready;
  if (a.cost != b.cost) return a.cost < b.cost;
  if (a.company != b.company) return a.company > b.company;
  if (a.ready && b.ready && a.ready_since != b.ready_since)
    return by_time(a.ready_since, b.ready_since, a.ready_rank, b.ready_rank);
  if (a.restarts.regular != b.restarts.regular) return a.restarts.regular > b.restarts.regular;
  if (a.restarts.sidecar != b.restarts.sidecar) return a.restarts.sidecar > b.restarts.sidecar;
  if (a.created != b.created) return by_time(a.created, b.created, a.age_rank, b.age_rank);
  return false;
}

}  // namespace

bool pod_is_active(const Value& pod) {
  return !model::pod_is_finished(pod) && !model::is_deleting(pod);
}

bool pod_is_terminating(const Value& pod) {
  return !model::pod_is_finished(pod) && model::is_deleting(pod);
}

bool pod_is_available(const Value& pod, Duration min_ready, Instant now) {
  if (!model::pod_is_ready(pod)) return false;
  if (min_ready == Duration()) return true;
  const Instant since = ready_since(pod);
  return !since.is_zero() && since + min_ready <= now;
}

std::optional<Instant> next_availability(const Pods& pods, Duration min_ready, Instant now) {
  std::optional<Instant> next;
  if (min_ready <= Duration()) return next;
  for (const Value& pod : pods) {
    if (!model::pod_is_ready(pod)) continue;
    const Instant since = ready_since(pod);
    if (since.is_zero()) continue;
    const Instant at = since + min_ready;
    if (at > now && (!next || at < *next)) next = at;
  }
  return next;
}

Pods filter(const Pods& pods, bool (*keep)(const Value&)) {
  Pods kept;
  std::copy_if(pods.begin(), pods.end(), std::back_inserter(kept), keep);
  return kept;
}

void rank_for_deletion(Pods& pods, const Pods& related, Instant now) {
  std::map<std::string, std::int64_t, std::less<>> active;
  for (const Value& pod : related)
    if (pod_is_active(pod)) ++active[pod["spec"]["nodeName"].str()];
  std::vector<Candidate> candidates;
  for (const Value& pod : pods) candidates.push_back(candidate(pod, active, now));
  // The order is not transitive (ranks and uids mix): only a merge is safe with such a comparison.
  std::stable_sort(candidates.begin(), candidates.end(), goes_before);
  Pods sorted;
  for (const Candidate& c : candidates) sorted.push_back(*c.pod);
  pods = std::move(sorted);
}

void rank_plainly(Pods& pods) {
  std::vector<Candidate> candidates;
  for (const Value& pod : pods)
    candidates.push_back(candidate(pod, {}, model::creation_time_of(pod)));
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) {
                     if (a.bound != b.bound) return !a.bound;
                     if (a.phase != b.phase) return a.phase < b.phase;
                     if (a.ready != b.ready) return !a.ready;
                     if (a.ready && a.ready_since != b.ready_since)
                       return after_or_zero(a.ready_since, b.ready_since);
                     if (a.restarts.regular != b.restarts.regular)
                       return a.restarts.regular > b.restarts.regular;
                     if (a.restarts.sidecar != b.restarts.sidecar)
                       return a.restarts.sidecar > b.restarts.sidecar;
                     return a.created != b.created && after_or_zero(a.created, b.created);
                   });
  Pods sorted;
  for (const Candidate& c : candidates) sorted.push_back(*c.pod);
  pods = std::move(sorted);
}

Value pod_from_template(const Value& pod_template, const Value& owner) {
  constexpr std::size_t kNameMax = 253;
  const std::string_view name = model::name_of(owner);
  Value meta = Value::object();
  // A name that leaves no room for the dash is used as it is; the server cuts it.
  meta.set("generateName", name.size() < kNameMax ? std::string(name) + "-" : std::string(name));
  meta.set("namespace", model::namespace_of(owner));
  for (const char* key : {"labels", "annotations", "finalizers"})
    if (!pod_template["metadata"][key].empty()) meta.set(key, pod_template["metadata"][key]);
  meta.set("ownerReferences", Value::array({model::controller_reference(owner)}));
  return Value::object(
      {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", meta}, {"spec", pod_template["spec"]}});
}

int age_rank(Duration age) {
  const std::int64_t n = age.count_nanoseconds();
  return n <= 0 ? -1 : std::bit_width(static_cast<std::uint64_t>(n)) - 1;
}

}  // namespace keelson::control
