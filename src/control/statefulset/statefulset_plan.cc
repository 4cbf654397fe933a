// What a StatefulSet's sync decides. Pure; see statefulset.h.
#include <algorithm>
#include <functional>
#include <set>

#include "control/common/templates.h"
#include "control/statefulset/identity.h"
#include "control/statefulset/pod_control.h"
#include "control/statefulset/statefulset.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace stateful {
namespace {

constexpr std::string_view kResource = "statefulsets.apps";
constexpr std::size_t kBatchMax = 500;
// Of one sync of a Parallel set; what it makes calls up the next one, which goes on.
constexpr std::size_t kWritesMax = 100;

// Whether to go on after one pod; an Error ends the sync too.
enum class Next { go_on, stop };

bool is_rolling(const Value& set) {
  return set.at("spec.updateStrategy.type").as_string() == "RollingUpdate";
}

class StatefulSync {
 public:
  StatefulSync(const StatefulSetInputs& inputs, Script& script)
      : inputs_(inputs), script_(script), control_(inputs, script), set_(inputs.set) {}
  Result<void> run();

 private:
  using Step = std::function<Result<Next>(std::size_t)>;

  Result<void> claim_all();
  Result<void> choose_revisions();
  Result<Value> create_revision(Value revision);
  void arrange();
  Value make_missing(std::int64_t ordinal) const;
  Result<void> act();
  // Ordered: one after the other until one says stop. Parallel: all, in slow start.
  Result<Next> for_all(std::size_t count, const Step& step) const;
  Result<Next> bring_up(std::size_t i);
  Result<Next> correct_condemned(std::size_t i);
  Result<Next> take_down(std::size_t i);
  Result<void> roll();
  Result<void> truncate_history();
  Result<void> write_status();
  void count(const std::vector<const Pods*>& lists);

  Duration min_ready() const { return Duration::seconds(set_["spec"]["minReadySeconds"].as_int()); }
  bool is_available(const Value& pod) const {
    return pod_is_available(pod, min_ready(), inputs_.now);
  }
  bool is_unavailable(const Value& pod) const {
    return !is_available(pod) || model::is_deleting(pod);
  }

  const StatefulSetInputs& inputs_;
  Script& script_;
  PodControl control_;
  const Value& set_;
  Value update_set_, current_set_;  // the set with the template of each revision
  Value current_, update_;          // revisions
  std::int64_t collisions_ = 0;
  bool ordered_ = true;
  Revisions revisions_;  // in order; adopted ones as patched
  Pods pods_;            // claimed
  Pods replicas_;        // by ordinal, from the first one; null until it is its turn to be made
  Pods condemned_;       // highest ordinal first
  std::string first_unhealthy_;  // its name
  Value status_ = Value::object();
};

bool is_created(const Value& pod) {
  return !pod["status"]["phase"].as_string().empty();
}

bool is_running_and_ready(const Value& pod) {
  return pod["status"]["phase"].as_string() == "Running" && model::pod_is_ready(pod);
}

Value with_template(const Value& set, const Value& revision) {
  Value copy = set;
  copy.edit("spec").set("template", template_of_revision(revision));
  return copy;
}

Result<void> StatefulSync::run() {
  const auto selector = model::LabelSelector::of(set_["spec"]["selector"]);
  if (!selector.ok()) return {};  // nothing a retry could change
  TRY_VOID(claim_all());
  Result<void> end = choose_revisions();
  if (end.ok()) {
    end = act();
    // Even a sync that failed half-way tells what it saw.
    const Result<void> written = write_status();
    if (end.ok()) end = written;
  }
  const Result<void> truncated = truncate_history();
  if (!end.ok()) return end;
  if (!truncated.ok()) return truncated;
  if (min_ready() > Duration() &&
      status_["readyReplicas"].as_int() != status_["availableReplicas"].as_int())
    script_.wake_at(
        next_availability(pods_, min_ready(), inputs_.now).value_or(inputs_.now + min_ready()));
  return {};
}

// Revisions that an earlier set left behind, then pods; only those named after the set are its.
Result<void> StatefulSync::claim_all() {
  revisions_ = inputs_.revisions;
  for (Value& revision : revisions_)
    if (model::controller_of(revision).is_null() && !model::is_deleting(set_)) {
      TRY(revision, script_.write(adoption(kRevisionsResource, set_, revision)));
    }
  TRY(const model::LabelSelector selector, model::LabelSelector::of(set_["spec"]["selector"]));
  TRY(pods_, claim(script_, "pods", set_, selector, inputs_.pods, [this](const Value& pod) {
        return parse_pod_name(model::name_of(pod)).parent == model::name_of(set_);
      }));
  return {};
}

Result<Value> StatefulSync::create_revision(Value revision) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    Value wanted = new_revision(set_, revision_number(revision), collisions_, {kHashLabel});
    const Result<Value> made = script_.write(create(kRevisionsResource, wanted));
    if (made.ok() || script_.waiting() || made.error().reason != Reason::already_exists)
      return made;
    ++collisions_;  // another state has the hash; the view shows all of ours
  }
  return Error{Reason::conflict, "every hash of the revision is taken"};
}

// The revision of the present template, found or made, and the one that pods came from so far.
Result<void> StatefulSync::choose_revisions() {
  const Revisions& all = revisions_;
  collisions_ = set_["status"]["collisionCount"].as_int();
  const std::int64_t number = all.empty() ? 1 : revision_number(all.back()) + 1;
  const Value wanted = new_revision(set_, number, collisions_, {kHashLabel});
  const auto equal =
      std::find_if(all.rbegin(), all.rend(), [&](const Value& r) { return same_data(r, wanted); });
  if (equal == all.rend()) {
    TRY(update_, create_revision(wanted));
  } else if (equal == all.rbegin()) {
    update_ = *equal;
  } else {
    Value renumbered = *equal;
    renumbered.set("revision", number);
    TRY(update_, script_.write(update(kRevisionsResource, renumbered)));
  }
  current_ = update_;
  for (const Value& revision : all)
    if (model::name_of(revision) == set_["status"]["currentRevision"].as_string())
      current_ = revision;
  return {};
}

// A partition decides the revision of pods that are yet to be made, too.
Value StatefulSync::make_missing(std::int64_t ordinal) const {
  const Value& rolling = set_.at("spec.updateStrategy.rollingUpdate");
  const std::int64_t kept =
      rolling.is_null() ? (is_rolling(set_) ? set_["status"]["currentReplicas"].as_int() : 0)
                        : rolling["partition"].as_int();
  const bool is_current = ordinal < start_ordinal(set_) + kept;
  return make_pod(is_current ? current_set_ : update_set_, ordinal,
                  model::name_of(is_current ? current_ : update_));
}

void StatefulSync::arrange() {
  const std::int64_t start = start_ordinal(set_);
  replicas_.assign(
      static_cast<std::size_t>(std::max<std::int64_t>(0, set_["spec"]["replicas"].as_int(1))), {});
  for (const Value& pod : pods_) {
    if (is_in_range(set_, pod))
      replicas_[static_cast<std::size_t>(ordinal_of(pod) - start)] = pod;
    else if (ordinal_of(pod) >= 0)
      condemned_.push_back(pod);
  }
  std::stable_sort(condemned_.begin(), condemned_.end(),
                   [](const Value& a, const Value& b) { return ordinal_of(a) > ordinal_of(b); });
  for (std::size_t i = 0; i < replicas_.size() && first_unhealthy_.empty(); ++i)
    if (is_unavailable(replicas_[i]))
      first_unhealthy_ = pod_name(set_, start + static_cast<std::int64_t>(i));
  for (auto pod = condemned_.rbegin(); pod != condemned_.rend() && first_unhealthy_.empty(); ++pod)
    if (is_unavailable(*pod)) first_unhealthy_ = model::name_of(*pod);
}

void StatefulSync::count(const std::vector<const Pods*>& lists) {
  std::int64_t replicas = 0, ready = 0, available = 0, current = 0, updated = 0;
  for (const Pods* pods : lists)
    for (const Value& pod : *pods) {
      if (is_running_and_ready(pod)) {
        ++ready;
        if (is_available(pod)) ++available;
      }
      if (!is_created(pod)) continue;
      ++replicas;
      if (model::is_deleting(pod)) continue;
      if (revision_of_pod(pod) == model::name_of(current_)) ++current;
      if (revision_of_pod(pod) == model::name_of(update_)) ++updated;
    }
  status_.set("replicas", replicas);
  status_.set("availableReplicas", available);
  set_count(status_, "readyReplicas", ready);
  set_count(status_, "currentReplicas", current);
  set_count(status_, "updatedReplicas", updated);
}

Result<void> StatefulSync::act() {
  ordered_ = set_["spec"]["podManagementPolicy"].as_string() != "Parallel";
  current_set_ = with_template(set_, current_);
  update_set_ = with_template(set_, update_);
  set_count(status_, "observedGeneration", model::generation_of(set_));
  status_.set("currentRevision", model::name_of(current_));
  status_.set("updateRevision", model::name_of(update_));
  status_.set("collisionCount", collisions_);
  count({&pods_});
  arrange();
  if (model::is_deleting(set_)) return {};

  const auto stage = [&](std::size_t pods, Result<Next> (StatefulSync::*step)(std::size_t)) {
    return for_all(pods, [&](std::size_t i) { return (this->*step)(i); });
  };
  Result<Next> next = stage(replicas_.size(), &StatefulSync::bring_up);
  if (next.ok() && *next == Next::go_on)
    next = stage(condemned_.size(), &StatefulSync::correct_condemned);
  if (next.ok() && *next == Next::go_on) next = stage(condemned_.size(), &StatefulSync::take_down);
  count({&replicas_, &condemned_});
  if (!next.ok()) return next.error();
  const bool by_hand = set_.at("spec.updateStrategy.type").as_string() == "OnDelete";
  return *next == Next::stop || by_hand ? Result<void>() : roll();
}

Result<Next> StatefulSync::for_all(std::size_t count, const Step& step) const {
  if (ordered_) {
    for (std::size_t i = 0; i < count; ++i) {
      TRY(const Next next, step(i));
      if (next == Next::stop) return Next::stop;
    }
    return Next::go_on;
  }
  for (std::size_t done = 0, size = 1; done < count; size = std::min(2 * size, kBatchMax)) {
    // The original starts a batch at once, and what was started last runs first: visible when a
    // quota leaves room for some of a batch only.
    const std::size_t batch = std::min({size, count - done, kWritesMax});
    std::optional<Error> failure;
    for (std::size_t i = 0; i < batch; ++i) {
      const Result<Next> next = step(done + (i == 0 ? batch - 1 : i - 1));
      if (script_.waiting()) return Next::stop;
      if (!next.ok() && !failure) failure = next.error();
    }
    if (failure) return *failure;
    done += batch;
    if (script_.results_seen() >= kWritesMax) return Next::stop;
  }
  return Next::go_on;
}

Result<Next> StatefulSync::bring_up(std::size_t i) {
  Value& pod = replicas_[i];
  if (pod.is_null()) pod = make_missing(start_ordinal(set_) + static_cast<std::int64_t>(i));
  if (model::pod_is_finished(pod)) {
    // It is made anew, under the same name, once it is gone.
    if (!model::is_deleting(pod)) TRY_VOID(control_.remove(pod));
    return Next::stop;
  }
  if (!is_created(pod)) {
    if (control_.claim_is_stale(set_, pod)) return Next::stop;
    TRY_VOID(control_.create(set_, pod));
    if (ordered_) return Next::stop;
  }
  if (pod["status"]["phase"].as_string() == "Pending")
    TRY_VOID(control_.create_missing_claims(set_, pod));
  if (ordered_ && (model::is_deleting(pod) || !is_running_and_ready(pod) || !is_available(pod)))
    return Next::stop;
  if (!identity_matches(set_, pod) || !storage_matches(set_, pod) ||
      !control_.claims_match_retention(update_set_, pod))
    TRY_VOID(control_.update(update_set_, pod));
  return Next::go_on;
}

Result<Next> StatefulSync::correct_condemned(std::size_t i) {
  if (!control_.claims_match_retention(update_set_, condemned_[i]))
    TRY_VOID(control_.update_claims_for_retention(update_set_, condemned_[i]));
  return Next::go_on;
}

// Ordered: one at a time, from the top, and only while those that stay are healthy. What is
// unhealthy itself goes only if nothing below it is.
Result<Next> StatefulSync::take_down(std::size_t i) {
  const Value& pod = condemned_[i];
  if (model::is_deleting(pod)) return ordered_ ? Next::stop : Next::go_on;
  const bool healthy = is_running_and_ready(pod) && is_available(pod);
  if (ordered_ && !healthy && model::name_of(pod) != first_unhealthy_) return Next::stop;
  TRY_VOID(control_.remove(pod));
  return Next::stop;
}

// One pod a sync, from the top down to the partition, each only when all above it are available.
Result<void> StatefulSync::roll() {
  const std::int64_t partition = set_.at("spec.updateStrategy.rollingUpdate.partition").as_int();
  for (std::int64_t i = static_cast<std::int64_t>(replicas_.size()) - 1; i >= partition; --i) {
    const Value& pod = replicas_[static_cast<std::size_t>(i)];
    if (revision_of_pod(pod) != model::name_of(update_) && !model::is_deleting(pod)) {
      TRY_VOID(control_.remove(pod));
      set_count(status_, "currentReplicas", status_["currentReplicas"].as_int() - 1);
      return {};
    }
    if (is_unavailable(pod)) return {};
  }
  return {};
}

Result<void> StatefulSync::write_status() {
  const std::int64_t desired = set_["spec"]["replicas"].as_int(1);
  if (is_rolling(set_) && status_["updatedReplicas"].as_int() == desired &&
      status_["readyReplicas"].as_int() == desired && status_["replicas"].as_int() == desired) {
    set_count(status_, "currentReplicas", desired);
    status_.set("currentRevision", status_["updateRevision"]);
  }
  const Value& known = set_["status"];
  bool differs = status_["observedGeneration"].as_int() > known["observedGeneration"].as_int() ||
                 status_["currentRevision"] != known["currentRevision"] ||
                 status_["updateRevision"] != known["updateRevision"];
  for (const char* field :
       {"replicas", "currentReplicas", "readyReplicas", "updatedReplicas", "availableReplicas"})
    differs = differs || status_[field].as_int() != known[field].as_int();
  if (!differs) return {};
  Value wanted = set_;
  wanted.set("status", status_);
  const Result<Value> written = script_.write(update(kResource, std::move(wanted), "status"));
  return written.ok() ? Result<void>() : Result<void>(written.error());
}

// Revisions beyond revisionHistoryLimit that nothing lives from go, oldest first.
Result<void> StatefulSync::truncate_history() {
  std::set<std::string_view> live{model::name_of(current_), model::name_of(update_)};
  for (const Value& pod : pods_) live.insert(revision_of_pod(pod));
  Revisions dead;
  for (const Value& revision : revisions_)
    if (!live.contains(model::name_of(revision))) dead.push_back(revision);
  const std::int64_t limit = set_["spec"]["revisionHistoryLimit"].as_int(10);
  const std::int64_t surplus = static_cast<std::int64_t>(dead.size()) - limit;
  for (std::int64_t i = 0; limit >= 0 && i < surplus; ++i) {
    const Result<Value> removed =
        script_.write(remove(kRevisionsResource, dead[static_cast<std::size_t>(i)]));
    if (!removed.ok()) return removed.error();
  }
  return {};
}

}  // namespace
}  // namespace stateful

Result<void> sync_stateful_set(const StatefulSetInputs& inputs, Script& script) {
  return stateful::StatefulSync(inputs, script).run();
}

}  // namespace keelson::control
