// What a DaemonSet's sync decides. Pure; see daemonset.h.
#include <algorithm>
#include <set>
#include <tuple>

#include "base/text.h"
#include "control/common/templates.h"
#include "control/daemonset/daemonset.h"
#include "control/daemonset/placement.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace daemon {
namespace {

constexpr std::string_view kResource = "daemonsets.apps";
constexpr std::size_t kBurst = 250;
constexpr Duration kDelayFirst = Duration::seconds(1);
constexpr Duration kDelayMax = Duration::minutes(15);

// Pods by the node they are meant for.
using ByNode = std::map<std::string, Pods, std::less<>>;

class DaemonSync {
 public:
  DaemonSync(const DaemonSetInputs& inputs, Script& script, DaemonSetOutcome& outcome)
      : inputs_(inputs), script_(script), outcome_(outcome), set_(inputs.set) {
    outcome_.delays = inputs.delays;
    const Placement placement(set_);
    for (const Value& node : inputs.nodes)
      fits_[std::string(model::name_of(node))] = placement.fit(node);
  }
  Result<void> run();

 private:
  Result<void> choose_revision();
  Result<Value> keep_one(Revisions same);
  Result<Value> snapshot(std::int64_t number);
  Result<void> update_pods();
  void look_at_node(const Value& node);
  void look_at_surge(Pods running, bool should_run, const std::string& node);
  bool is_due_for_deletion(const Value& pod, const std::string& node);
  // Whether anything was to be done.
  Result<bool> write_pods(std::vector<std::string> new_nodes, Pods to_delete);
  Result<void> roll();
  Result<void> roll_in_place(const ByNode& nodes, std::int64_t unavailable_max);
  Result<void> roll_with_surge(const ByNode& nodes, std::int64_t surge_max, std::int64_t desired);
  Result<void> clean_up();
  Result<void> write_status(bool observed);

  struct Pair {
    Value fresh, old;  // null if there is none
    bool excess = false;
  };
  Pair pair_on(const Pods& pods) const;
  Fit fit_of(std::string_view node) const;
  bool is_available(const Value& pod) const {
    return pod_is_available(pod, min_ready(), inputs_.now);
  }
  Duration min_ready() const { return Duration::seconds(set_["spec"]["minReadySeconds"].as_int()); }

  const DaemonSetInputs& inputs_;
  Script& script_;
  DaemonSetOutcome& outcome_;
  const Value& set_;
  std::map<std::string, Fit, std::less<>> fits_;  // by node
  Pods pods_;                                     // claimed
  ByNode by_node_;
  Revisions old_;
  std::string hash_;
  std::vector<std::string> new_nodes_;
  Pods to_delete_;
};

// Bound ones first, then older ones.
void order(Pods& pods) {
  std::sort(pods.begin(), pods.end(), [](const Value& a, const Value& b) {
    const auto key = [](const Value& pod) {
      return std::make_tuple(pod["spec"]["nodeName"].as_string().empty(),
                             model::creation_time_of(pod), model::name_of(pod));
    };
    return key(a) < key(b);
  });
}

Result<void> DaemonSync::run() {
  const Value& selector = set_["spec"]["selector"];
  if (selector["matchLabels"].empty() && selector["matchExpressions"].empty()) {
    script_.event(
        warning(set_, "SelectingAll",
                "This daemon set is selecting all pods. A non-empty selector is required."));
    return {};
  }
  // A second more than needed, as the original waits for it.
  if (inputs_.became_ready && min_ready() > Duration())
    script_.wake_at(inputs_.now + min_ready() + Duration::seconds(1));
  if (model::is_deleting(set_)) return {};
  TRY_VOID(choose_revision());
  TRY(const model::LabelSelector matches, model::LabelSelector::of(selector));
  TRY(pods_, claim(script_, "pods", set_, matches, inputs_.pods));
  for (const Value& pod : pods_)
    if (!model::pod_is_finished(pod) || !model::is_deleting(pod))
      if (std::string node = target_node(pod); !node.empty()) by_node_[node].push_back(pod);

  if (!inputs_.may_manage) return write_status(false);
  const Result<void> updated = update_pods();
  const Result<void> written = write_status(true);
  return updated.ok() ? written : updated;
}

// The revision of the present template, found or made; the others are old.
Result<void> DaemonSync::choose_revision() {
  TRY(const model::LabelSelector selector, model::LabelSelector::of(set_["spec"]["selector"]));
  TRY(Revisions all, claim(script_, kRevisionsResource, set_, selector, inputs_.revisions));
  const Value wanted = Value::object({{"data", revision_data(set_)}});
  Revisions same;
  std::int64_t number = 1;
  for (Value& revision : all) {
    if (!model::labels_of(revision).has(kRevisionLabel)) {
      revision.edit("metadata").edit("labels").set(kRevisionLabel, model::name_of(revision));
      TRY(revision, script_.write(update(kRevisionsResource, revision)));
    }
    if (same_data(revision, wanted)) {
      same.push_back(revision);
    } else {
      number = std::max(number, revision_number(revision) + 1);
      old_.push_back(revision);
    }
  }
  Value current;
  if (same.empty()) {
    TRY(current, snapshot(number));
  } else {
    TRY(current, keep_one(std::move(same)));
    if (revision_number(current) < number) {
      current.set("revision", number);
      TRY(current, script_.write(update(kRevisionsResource, current)));
    }
  }
  hash_ = model::label_of(current, kRevisionLabel);
  return {};
}

// Several of one content can only come from adoption: the highest stays, and pods move to it.
Result<Value> DaemonSync::keep_one(Revisions same) {
  std::stable_sort(same.begin(), same.end(), [](const Value& a, const Value& b) {
    return revision_number(a) < revision_number(b);
  });
  const Value kept = same.back();
  same.pop_back();
  if (same.empty()) return kept;
  const Value hash = model::labels_of(kept)[kRevisionLabel];
  std::vector<cluster::Write> writes;
  for (const Value& pod : inputs_.pods) {
    if (!model::is_controlled_by(pod, model::uid_of(set_))) continue;
    if (model::labels_of(pod)[kRevisionLabel] == hash) continue;
    cluster::Write write = remove("pods", pod);
    write.verb = cluster::Write::Verb::merge_patch;
    write.object = Value::object(
        {{"metadata", Value::object({{"labels", Value::object({{kRevisionLabel, hash}})}})}});
    writes.push_back(std::move(write));
  }
  for (const Value& revision : same) writes.push_back(remove(kRevisionsResource, revision));
  for (const Result<Value>& result : script_.write(std::move(writes)))
    if (!result.ok()) return result.error();
  return kept;
}

Result<Value> DaemonSync::snapshot(std::int64_t number) {
  const std::int64_t collisions = set_["status"]["collisionCount"].as_int();
  const Result<Value> made = script_.write(
      create(kRevisionsResource, new_revision(set_, number, collisions, {kRevisionLabel})));
  if (made.ok() || made.error().reason != Reason::already_exists) return made;
  // Another state has the hash: with the next collision count it will be another one.
  Value set = set_;
  set.edit("status").set("collisionCount", collisions + 1);
  (void)script_.write(update(kResource, std::move(set), "status"));
  return made;
}

Fit DaemonSync::fit_of(std::string_view node) const {
  const auto at = fits_.find(node);
  return at == fits_.end() ? Fit{} : at->second;
}

Result<void> DaemonSync::update_pods() {
  for (const Value& node : inputs_.nodes) look_at_node(node);
  // Pods that wait for a node that is gone.
  std::set<std::string_view> nodes;
  for (const Value& node : inputs_.nodes) nodes.insert(model::name_of(node));
  for (const auto& [name, pods] : by_node_)
    for (const Value& pod : pods)
      if (!nodes.contains(name) && pod["spec"]["nodeName"].as_string().empty())
        to_delete_.push_back(pod);
  TRY(const bool acted, write_pods(std::move(new_nodes_), std::move(to_delete_)));
  // First every node has its pod; only then is anything replaced.
  if (!acted && set_.at("spec.updateStrategy.type").as_string() == "RollingUpdate")
    TRY_VOID(roll());
  return clean_up();
}

void DaemonSync::look_at_node(const Value& node) {
  const std::string name(model::name_of(node));
  const Fit fits = fit_of(name);
  const auto at = by_node_.find(name);
  if (at == by_node_.end()) {
    if (fits.should_run) new_nodes_.push_back(name);
    return;
  }
  if (!fits.may_stay) {
    for (const Value& pod : at->second)
      if (!model::is_deleting(pod)) to_delete_.push_back(pod);
    return;
  }
  Pods running;
  for (const Value& pod : at->second) {
    if (model::is_deleting(pod)) continue;
    if (!model::pod_is_finished(pod))
      running.push_back(pod);
    else if (is_due_for_deletion(pod, name))
      to_delete_.push_back(pod);
  }
  order(running);
  if (max_surge(set_, 1) > 0)
    look_at_surge(std::move(running), fits.should_run, name);
  else if (running.size() > 1)
    to_delete_.insert(to_delete_.end(), running.begin() + 1, running.end());
}

// A finished pod goes; a failed one not more often than its delay allows.
bool DaemonSync::is_due_for_deletion(const Value& pod, const std::string& node) {
  const std::string where = "daemon pod " + std::string(model::namespace_of(pod)) + "/" +
                            std::string(model::name_of(pod)) + " on node " + node;
  if (pod["status"]["phase"].as_string() == "Succeeded") {
    script_.event(
        normal(set_, "SucceededDaemonPod", "Found succeeded " + where + ", will try to delete it"));
    return true;
  }
  const auto at = outcome_.delays.find(node);
  const bool known = at != outcome_.delays.end() && inputs_.now - at->second.since <= kDelayMax * 2;
  if (known && inputs_.now - at->second.since < at->second.delay) {
    script_.wake_at(inputs_.now + at->second.delay);
    return false;
  }
  outcome_.delays[node] = {known ? std::min(at->second.delay * 2, kDelayMax) : kDelayFirst,
                           inputs_.now};
  script_.event(
      warning(set_, "FailedDaemonPod", "Found failed " + where + ", will try to kill it"));
  return true;
}

// With surge, an old and a new pod may stand side by side, one of each.
void DaemonSync::look_at_surge(Pods running, bool should_run, const std::string& node) {
  if (running.empty() && should_run) new_nodes_.push_back(node);
  if (running.size() <= 1) return;
  Value fresh, old;
  for (const Value& pod : running) {
    Value& place = model::label_of(pod, kRevisionLabel) == hash_ ? fresh : old;
    if (place.is_null())
      place = pod;
    else
      to_delete_.push_back(pod);
  }
  if (!fresh.is_null() && !old.is_null() && (!model::pod_is_ready(old) || is_available(fresh)))
    to_delete_.push_back(old);
}

Result<bool> DaemonSync::write_pods(std::vector<std::string> new_nodes, Pods to_delete) {
  new_nodes.resize(std::min(new_nodes.size(), kBurst));
  to_delete.resize(std::min(to_delete.size(), kBurst));
  if (new_nodes.empty() && to_delete.empty()) return false;
  std::vector<cluster::Write> creations, deletions;
  for (const std::string& node : new_nodes)
    creations.push_back(create("pods", pod_from_template(template_for(set_, node, hash_), set_)));
  std::optional<Error> failure = write_slowly(
      script_, std::move(creations),
      [&](const cluster::Write&, const Result<Value>& result) {
        if (result.ok()) {
          outcome_.created.push_back(*result);
          script_.event(normal(set_, "SuccessfulCreate",
                               "Created pod: " + std::string(model::name_of(*result))));
        } else if (!namespace_is_terminating(result.error())) {
          script_.event(warning(set_, "FailedCreate", "Error creating: " + result.error().message));
        }
      },
      namespace_is_terminating);
  for (const Value& pod : to_delete) deletions.push_back(remove("pods", pod));
  const std::vector<Result<Value>> results = script_.write(std::move(deletions));
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].ok()) {
      outcome_.deleted.push_back(to_delete[i]);
      script_.event(normal(set_, "SuccessfulDelete",
                           "Deleted pod: " + std::string(model::name_of(to_delete[i]))));
    } else if (results[i].error().reason != Reason::not_found) {
      script_.event(warning(set_, "FailedDelete", "Error deleting: " + results[i].error().message));
      if (!failure) failure = results[i].error();
    }
  }
  if (failure) return *failure;
  return true;
}

DaemonSync::Pair DaemonSync::pair_on(const Pods& pods) const {
  Pair pair;
  for (const Value& pod : pods) {
    if (model::is_deleting(pod)) continue;
    Value& place = pod_is_updated(set_, pod, hash_) ? pair.fresh : pair.old;
    if (!place.is_null()) pair.excess = true;
    place = pod;
  }
  return pair;
}

Result<void> DaemonSync::roll() {
  ByNode nodes = by_node_;
  std::int64_t desired = 0;
  for (const Value& node : inputs_.nodes)
    if (fit_of(model::name_of(node)).should_run) {
      ++desired;
      nodes.try_emplace(std::string(model::name_of(node)));
    }
  const std::int64_t surge = max_surge(set_, desired);
  return surge == 0 ? roll_in_place(nodes, max_unavailable(set_, desired))
                    : roll_with_surge(nodes, surge, desired);
}

// Old pods that are not available anyway go all at once; others as far as maxUnavailable allows.
Result<void> DaemonSync::roll_in_place(const ByNode& nodes, std::int64_t unavailable_max) {
  std::int64_t unavailable = 0;
  Pods to_delete, candidates;
  for (const auto& [node, pods] : nodes) {
    const Pair pair = pair_on(pods);
    if (pair.excess || pair.old.is_null() == pair.fresh.is_null()) {
      ++unavailable;  // none, both or too many: the next sync sees to it
    } else if (!pair.fresh.is_null()) {
      if (!is_available(pair.fresh)) ++unavailable;
    } else if (!is_available(pair.old)) {
      to_delete.push_back(pair.old);
      ++unavailable;
    } else {
      candidates.push_back(pair.old);
    }
  }
  const auto room =
      static_cast<std::size_t>(std::max<std::int64_t>(0, unavailable_max - unavailable));
  candidates.resize(std::min(candidates.size(), room));
  to_delete.insert(to_delete.end(), candidates.begin(), candidates.end());
  TRY([[maybe_unused]] const bool acted, write_pods({}, std::move(to_delete)));
  return {};
}

// A new pod beside the old one, at most maxSurge at a time; the old one goes when the new one is
// available. Old pods that are not available are replaced without counting.
Result<void> DaemonSync::roll_with_surge(const ByNode& nodes, std::int64_t surge_max,
                                         std::int64_t desired) {
  std::int64_t surge = 0, available = 0;
  Pods to_delete, misplaced;
  std::vector<std::string> allowed, candidates;
  for (const auto& [node, pods] : nodes) {
    const Pair pair = pair_on(pods);
    if (pair.excess) {
      ++surge;
      continue;
    }
    if (is_available(pair.old.is_null() ? pair.fresh : pair.old)) ++available;
    if (pair.old.is_null()) continue;
    if (!pair.fresh.is_null()) {
      if (is_available(pair.fresh))
        to_delete.push_back(pair.old);
      else
        ++surge;
    } else if (!is_available(pair.old)) {
      if (fit_of(node).should_run)
        allowed.push_back(node);
      else
        to_delete.push_back(pair.old);
    } else if (!fit_of(node).should_run) {
      misplaced.push_back(pair.old);
    } else {
      candidates.push_back(node);
    }
  }
  misplaced.resize(std::min<std::size_t>(
      misplaced.size(), static_cast<std::size_t>(std::max<std::int64_t>(0, available - desired))));
  to_delete.insert(to_delete.end(), misplaced.begin(), misplaced.end());
  candidates.resize(std::min<std::size_t>(
      candidates.size(), static_cast<std::size_t>(std::max<std::int64_t>(0, surge_max - surge))));
  allowed.insert(allowed.end(), candidates.begin(), candidates.end());
  TRY([[maybe_unused]] const bool acted, write_pods(std::move(allowed), std::move(to_delete)));
  return {};
}

// Old revisions beyond revisionHistoryLimit that no pod has go, oldest first.
Result<void> DaemonSync::clean_up() {
  std::int64_t surplus =
      static_cast<std::int64_t>(old_.size()) - set_["spec"]["revisionHistoryLimit"].as_int(10);
  if (surplus <= 0) return {};
  std::set<std::string_view> live;
  for (const Value& pod : pods_)
    if (!target_node(pod).empty()) live.insert(model::label_of(pod, kRevisionLabel));
  order_by_number(old_);
  for (const Value& revision : old_) {
    if (surplus <= 0) break;
    const std::string_view hash = model::label_of(revision, kRevisionLabel);
    if (!hash.empty() && live.contains(hash)) continue;
    const Result<Value> removed = script_.write(remove(kRevisionsResource, revision));
    if (!removed.ok())
      return Error{removed.error().reason,
                   "failed to clean up revisions of DaemonSet: " + removed.error().message};
    --surplus;
  }
  return {};
}

Result<void> DaemonSync::write_status(bool observed) {
  std::int64_t desired = 0, current = 0, misscheduled = 0, ready = 0, available = 0, updated = 0;
  for (const Value& node : inputs_.nodes) {
    const auto at = by_node_.find(model::name_of(node));
    const bool scheduled = at != by_node_.end();
    if (!fit_of(model::name_of(node)).should_run) {
      if (scheduled) ++misscheduled;
      continue;
    }
    ++desired;
    if (!scheduled) continue;
    ++current;
    Pods pods = at->second;
    order(pods);
    if (model::pod_is_ready(pods[0])) ++ready;
    if (is_available(pods[0])) ++available;
    if (pod_is_updated(set_, pods[0], hash_)) ++updated;
  }
  Value status = set_["status"];
  if (!status.is_object()) status = Value::object();
  if (observed) status.set("observedGeneration", model::generation_of(set_));
  status.set("desiredNumberScheduled", desired);
  status.set("currentNumberScheduled", current);
  status.set("numberMisscheduled", misscheduled);
  status.set("numberReady", ready);
  set_count(status, "updatedNumberScheduled", updated);
  set_count(status, "numberAvailable", available);
  set_count(status, "numberUnavailable", desired - available);
  if (!same_content(status, set_["status"])) {
    Value wanted = set_;
    wanted.set("status", status);
    const Result<Value> written = script_.write(update(kResource, std::move(wanted), "status"));
    if (!written.ok()) return written.error();
  }
  if (min_ready() > Duration() && ready != available) script_.wake_at(inputs_.now + min_ready());
  return {};
}

}  // namespace
}  // namespace daemon

Result<void> sync_daemon_set(const DaemonSetInputs& inputs, Script& script,
                             DaemonSetOutcome& outcome) {
  return daemon::DaemonSync(inputs, script, outcome).run();
}

}  // namespace keelson::control
