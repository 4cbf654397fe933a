// What a Deployment's sync decides: a straight line from claims to the status, with each write's
// result taken into what follows. Pure; see deployment.h.
#include <algorithm>

#include "base/text.h"
#include "control/common/templates.h"
#include "control/deployment/deployment.h"
#include "control/deployment/rollout.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace {

using namespace rollout;

constexpr std::string_view kDeployments = "deployments.apps";
constexpr std::string_view kReplicaSets = "replicasets.apps";

std::string quoted_name(const Value& object) {
  return quote(model::name_of(object));
}

// The Deployment and its ReplicaSets as this sync knows them; every write brings them up to date.
class Sync {
 public:
  Sync(const DeploymentInputs& inputs, Script& script)
      : inputs_(inputs), script_(script), deployment_(inputs.deployment) {}
  Result<void> run();

 private:
  struct Sides {
    Value new_one;  // null if there is none
    ReplicaSets old;
    ReplicaSets all() const {
      ReplicaSets both = old;
      both.push_back(new_one);
      return both;
    }
  };

  Result<void> sync_scale();
  Result<void> roll_back(std::int64_t revision);
  Result<void> roll();
  Result<void> recreate();

  Result<Sides> sides(bool create_if_missing);
  Result<Value> new_replica_set(const ReplicaSets& old, bool create_if_missing);
  Result<Value> adopt_as_new(Value replica_set, std::int64_t revision);
  Result<Value> create_new(const ReplicaSets& old, std::int64_t revision);
  Result<Value> creation_failed(const Value& wanted, const Error& error);
  Result<void> note_paused();
  Result<bool> is_scaling();
  Result<void> scale(const Sides& sides);
  Result<void> scale_in_proportion(const Sides& sides);
  // Whether the size changed; `replica_set` becomes what was written.
  Result<bool> scale_to(Value& replica_set, std::int64_t size, bool force = false);
  Result<bool> grow_new(const Sides& sides);
  bool shrink_old(const Sides& sides);
  std::optional<std::int64_t> shrink_unhealthy(ReplicaSets& old, std::int64_t most);
  std::optional<std::int64_t> shrink_healthy(ReplicaSets& old, const Value& new_one);
  bool old_pods_run(const Sides& sides) const;
  Result<void> clean_up(const ReplicaSets& old);

  Value status_of(const Sides& sides) const;
  void judge_progress(const Sides& sides, Value& status) const;
  bool has_timed_out(const Value& status) const;
  Result<void> write_plain_status(const Sides& sides);
  Result<void> write_rollout_status(const Sides& sides);
  void wake_for_deadline(const Value& status);
  Result<void> write_status();
  void note(const Value& replica_set);
  Value condition(std::string_view type, std::string_view status, std::string_view reason,
                  std::string message) const;
  Instant deadline_after(const Value& progressing) const {
    return model::time_of(progressing["lastUpdateTime"]) +
           Duration::seconds(deployment_["spec"]["progressDeadlineSeconds"].as_int());
  }

  const DeploymentInputs& inputs_;
  Script& script_;
  Value deployment_;
  ReplicaSets replica_sets_;  // claimed, ordered by age
};

Value Sync::condition(std::string_view type, std::string_view status, std::string_view reason,
                      std::string message) const {
  const std::string now = to_rfc3339(inputs_.now);
  return Value::object({{"type", type},
                        {"status", status},
                        {"reason", reason},
                        {"message", message},
                        {"lastUpdateTime", now},
                        {"lastTransitionTime", now}});
}

// Puts a written ReplicaSet in the place of what was known of it.
void Sync::note(const Value& replica_set) {
  for (Value& known : replica_sets_)
    if (model::uid_of(known) == model::uid_of(replica_set)) {
      known = replica_set;
      return;
    }
  replica_sets_.push_back(replica_set);
  replica_sets_ = ordered_by_age(std::move(replica_sets_));
}

Result<void> Sync::write_status() {
  TRY(deployment_, script_.write(update(kDeployments, deployment_, "status")));
  return {};
}

Result<void> Sync::run() {
  const Value& selector = deployment_["spec"]["selector"];
  if (selector["matchLabels"].empty() && selector["matchExpressions"].empty()) {
    script_.event(warning(
        deployment_, "SelectingAll",
        "This deployment is selecting all pods. A non-empty selector is required."));
    if (deployment_["status"]["observedGeneration"].as_int() < model::generation_of(deployment_)) {
      deployment_.edit("status").set("observedGeneration", model::generation_of(deployment_));
      (void)write_status();  // nothing depends on it
    }
    return {};
  }
  TRY(const model::LabelSelector matches, model::LabelSelector::of(selector));
  TRY(ReplicaSets claimed,
      claim(script_, kReplicaSets, deployment_, matches, inputs_.replica_sets));
  replica_sets_ = ordered_by_age(std::move(claimed));

  if (model::is_deleting(deployment_)) {
    TRY(const Sides known, sides(false));
    return write_plain_status(known);
  }
  TRY_VOID(note_paused());
  if (deployment_["spec"]["paused"].as_bool()) return sync_scale();
  // Not re-entrant: a rollback ends its sync, and the next one starts from its result.
  if (const auto revision = parse_int(model::annotation_of(deployment_, kRollbackTo)))
    return roll_back(*revision);
  TRY(const bool scaling, is_scaling());
  if (scaling) return sync_scale();
  const std::string_view strategy = deployment_.at("spec.strategy.type").as_string();
  if (strategy == "Recreate") return recreate();
  if (strategy == "RollingUpdate") return roll();
  return Error{Reason::internal_error,
               "unexpected deployment strategy type: " + std::string(strategy)};
}

// A pause or resumption restarts the deadline's clock by a Progressing condition of its own.
Result<void> Sync::note_paused() {
  if (!has_progress_deadline(deployment_)) return {};
  const Value& progressing = condition_in(deployment_["status"], "Progressing");
  const std::string_view reason = progressing["reason"].as_string();
  if (reason == "ProgressDeadlineExceeded") return {};
  const bool paused = deployment_["spec"]["paused"].as_bool();
  if (paused == (reason == "DeploymentPaused")) return {};
  set_condition(deployment_.edit("status"),
                paused ? condition("Progressing", "Unknown", "DeploymentPaused",
                                   "Deployment is paused")
                       : condition("Progressing", "Unknown", "DeploymentResumed",
                                   "Deployment is resumed"));
  return write_status();
}

Result<Sync::Sides> Sync::sides(bool create_if_missing) {
  Sides found;
  TRY(found.new_one,
      new_replica_set(find_old(deployment_, replica_sets_), create_if_missing));
  found.old = find_old(deployment_, replica_sets_);
  return found;
}

Result<Value> Sync::new_replica_set(const ReplicaSets& old, bool create_if_missing) {
  const std::int64_t revision = max_revision(old) + 1;
  const Value existing = find_new(deployment_, replica_sets_);
  if (!existing.is_null()) return adopt_as_new(existing, revision);
  if (!create_if_missing) return Value();
  return create_new(old, revision);
}

// The ReplicaSet exists: its annotations follow the Deployment, the Deployment's revision follows
// it.
Result<Value> Sync::adopt_as_new(Value replica_set, std::int64_t revision) {
  Value wanted = replica_set;
  const bool annotated = set_new_annotations(deployment_, wanted, revision, true);
  const std::int64_t min_ready = deployment_["spec"]["minReadySeconds"].as_int();
  if (annotated || wanted["spec"]["minReadySeconds"].as_int() != min_ready) {
    set_count(wanted.edit("spec"), "minReadySeconds", min_ready);
    TRY(Value written, script_.write(update(kReplicaSets, std::move(wanted))));
    note(written);
    return written;
  }
  const std::string of_set(model::annotation_of(replica_set, kRevision));
  bool changed = false;
  if (model::annotation_of(deployment_, kRevision) != of_set) {
    deployment_.edit("metadata").edit("annotations").set(kRevision, of_set);
    changed = true;
  }
  if (has_progress_deadline(deployment_) &&
      condition_in(deployment_["status"], "Progressing").is_null()) {
    set_condition(deployment_.edit("status"),
                  condition("Progressing", "True", "FoundNewReplicaSet",
                            "Found new replica set " + quoted_name(replica_set)));
    changed = true;
  }
  if (changed) TRY_VOID(write_status());
  return replica_set;
}

std::string replica_set_name(std::string_view deployment, const std::string& hash) {
  constexpr std::size_t kNameMax = 253;
  return std::string(deployment.substr(0, kNameMax - 1 - hash.size())) + "-" + hash;
}

// With its hash among the labels of template and selector, and not sized yet.
Value blank_replica_set(const Value& deployment) {
  const Value& collisions = deployment["status"]["collisionCount"];
  Value pod_template = deployment["spec"]["template"];
  const std::string hash = template_hash(
      pod_template, collisions.is_number() ? std::optional(collisions.as_int()) : std::nullopt);
  pod_template.edit("metadata").edit("labels").set(kHashLabel, hash);
  Value selector = deployment["spec"]["selector"];
  selector.edit("matchLabels").set(kHashLabel, hash);

  Value meta = Value::object(
      {{"name", replica_set_name(model::name_of(deployment), hash)},
       {"namespace", model::namespace_of(deployment)},
       {"labels", pod_template["metadata"]["labels"]},
       {"ownerReferences", Value::array({model::controller_reference(deployment)})}});
  Value spec = Value::object({{"replicas", 0}, {"selector", selector}, {"template", pod_template}});
  set_count(spec, "minReadySeconds", deployment["spec"]["minReadySeconds"].as_int());
  return Value::object(
      {{"apiVersion", "apps/v1"}, {"kind", "ReplicaSet"}, {"metadata", meta}, {"spec", spec}});
}

Result<Value> Sync::create_new(const ReplicaSets& old, std::int64_t revision) {
  Value wanted = blank_replica_set(deployment_);
  ReplicaSets all = old;
  all.push_back(wanted);
  const std::int64_t size = new_replicas(deployment_, all, wanted);
  wanted.edit("spec").set("replicas", size);
  set_new_annotations(deployment_, wanted, revision, false);

  const Result<Value> created = script_.write(create(kReplicaSets, wanted));
  if (script_.waiting()) return created;
  if (!created.ok()) return creation_failed(wanted, created.error());
  note(*created);
  if (size > 0)
    script_.event(normal(deployment_, "ScalingReplicaSet",
                         "Scaled up replica set " + std::string(model::name_of(*created)) +
                             " from 0 to " + std::to_string(size)));
  bool changed = model::annotation_of(deployment_, kRevision) != std::to_string(revision);
  if (changed)
    deployment_.edit("metadata").edit("annotations").set(kRevision, std::to_string(revision));
  if (has_progress_deadline(deployment_)) {
    set_condition(deployment_.edit("status"),
                  condition("Progressing", "True", "NewReplicaSetCreated",
                            "Created new replica set " + quoted_name(*created)));
    changed = true;
  }
  if (changed) TRY_VOID(write_status());
  return created;
}

// Somebody has the name: with the next collision count the hash will be another one. Any other
// failure is reported in the status. Both are tried again.
Result<Value> Sync::creation_failed(const Value& wanted, const Error& error) {
  if (namespace_is_terminating(error)) return error;
  if (error.reason == Reason::already_exists) {
    // Ours already, and only the view is behind: the next sync will find it.
    for (const Value& known : inputs_.replica_sets)
      if (model::name_of(known) == model::name_of(wanted) &&
          model::is_controlled_by(known, model::uid_of(deployment_)) &&
          same_content(without_label(known["spec"]["template"], kHashLabel),
                       without_label(deployment_["spec"]["template"], kHashLabel)))
        return known;
    const std::int64_t collisions = deployment_["status"]["collisionCount"].as_int();
    deployment_.edit("status").set("collisionCount", collisions + 1);
    (void)write_status();  // the error below makes for another sync either way
    return error;
  }
  const std::string message =
      "Failed to create new replica set " + quoted_name(wanted) + ": " + error.message;
  script_.event(warning(deployment_, "ReplicaSetCreateError", message));
  if (has_progress_deadline(deployment_)) {
    set_condition(deployment_.edit("status"),
                  condition("Progressing", "False", "ReplicaSetCreateError", message));
    (void)write_status();
  }
  return error;
}

// The size each active ReplicaSet was last given was meant for another size of the Deployment.
Result<bool> Sync::is_scaling() {
  TRY(const Sides known, sides(false));
  for (const Value& one : active(known.all())) {
    const auto desired = desired_replicas(one);
    if (desired && *desired != replicas_of(deployment_)) return true;
  }
  return false;
}

// Paused, or only the number changed: no rollout, sizes alone.
Result<void> Sync::sync_scale() {
  TRY(const Sides known, sides(false));
  TRY_VOID(scale(known));
  const bool rolls_back = parse_int(model::annotation_of(deployment_, kRollbackTo)).has_value();
  if (deployment_["spec"]["paused"].as_bool() && !rolls_back) TRY_VOID(clean_up(known.old));
  TRY(const Sides now, sides(false));
  return write_plain_status(now);
}

Result<void> Sync::scale(const Sides& sides) {
  if (Value only = active_or_latest(sides.new_one, sides.old); !only.is_null()) {
    TRY([[maybe_unused]] const bool scaled, scale_to(only, replicas_of(deployment_)));
    return {};
  }
  // Adopted ones may be left although the new one has all pods.
  if (is_saturated(deployment_, sides.new_one)) {
    for (Value& old : active(sides.old)) {
      TRY([[maybe_unused]] const bool scaled, scale_to(old, 0));
    }
    return {};
  }
  return is_rolling(deployment_) ? scale_in_proportion(sides) : Result<void>();
}

// In the middle of a rollout every ReplicaSet takes its share, so that a bad new template does not
// gain by the scaling. What rounding leaves over goes to the largest.
Result<void> Sync::scale_in_proportion(const Sides& sides) {
  ReplicaSets all = active(sides.all());
  const std::int64_t allowed =
      replicas_of(deployment_) > 0 ? replicas_of(deployment_) + max_surge(deployment_) : 0;
  const std::int64_t to_add = allowed - sum_spec_replicas(all);
  all = ordered_by_age(std::move(all));
  // Of equal size, new ones grow first and old ones shrink first.
  if (to_add > 0) std::reverse(all.begin(), all.end());
  if (to_add != 0)
    std::stable_sort(all.begin(), all.end(), [](const Value& a, const Value& b) {
      return replicas_of(a) > replicas_of(b);
    });

  std::vector<std::int64_t> sizes;
  std::int64_t added = 0;
  for (const Value& one : all) {
    const std::int64_t share = proportion(deployment_, one, to_add, added);
    sizes.push_back(replicas_of(one) + share);
    added += share;
  }
  if (to_add != 0 && !sizes.empty())
    sizes[0] = std::max<std::int64_t>(0, sizes[0] + to_add - added);
  for (std::size_t i = 0; i < all.size(); ++i) {
    TRY([[maybe_unused]] const bool scaled, scale_to(all[i], sizes[i], true));
  }
  return {};
}

Result<bool> Sync::scale_to(Value& replica_set, std::int64_t size, bool force) {
  const std::int64_t before = replicas_of(replica_set);
  if (!force && before == size) return false;
  Value wanted = replica_set;
  const bool annotated = set_replicas_annotations(deployment_, wanted);
  if (before == size && !annotated) return false;
  wanted.edit("spec").set("replicas", size);
  TRY(replica_set, script_.write(update(kReplicaSets, std::move(wanted))));
  note(replica_set);
  if (before == size) return false;
  script_.event(normal(deployment_, "ScalingReplicaSet",
                       std::string("Scaled ") + (before < size ? "up" : "down") +
                           " replica set " + std::string(model::name_of(replica_set)) + " from " +
                           std::to_string(before) + " to " + std::to_string(size)));
  return true;
}

Result<void> Sync::roll_back(std::int64_t revision) {
  TRY(const Sides known, sides(true));
  const ReplicaSets all = known.all();
  const auto give_up = [&](std::string_view reason, const std::string& message) {
    script_.event(warning(deployment_, std::string(reason), message));
  };
  if (revision == 0) revision = last_revision(all);
  const auto target = std::find_if(all.begin(), all.end(), [&](const Value& one) {
    const auto of_set = revision_of(one);
    return !one.is_null() && of_set && *of_set == revision;
  });
  Value wanted = deployment_;
  std::string done;
  if (revision == 0) {
    give_up("DeploymentRollbackRevisionNotFound", "Unable to find last revision.");
  } else if (target == all.end()) {
    give_up("DeploymentRollbackRevisionNotFound", "Unable to find the revision to rollback to.");
  } else {
    const Value back = without_label((*target)["spec"]["template"], kHashLabel);
    if (same_content(back, without_label(deployment_["spec"]["template"], kHashLabel))) {
      give_up("DeploymentRollbackTemplateUnchanged",
              "The rollback revision contains the same template as current deployment " +
                  quoted_name(deployment_));
    } else {
      wanted.edit("spec").set("template", back);
      wanted.edit("metadata").set("annotations", annotations_after_rollback(deployment_, *target));
      done = "Rolled back deployment " + quoted_name(deployment_) + " to revision " +
             std::to_string(revision);
    }
  }
  wanted.edit("metadata").edit("annotations").erase(kRollbackTo);
  TRY([[maybe_unused]] const Value written, script_.write(update(kDeployments, wanted)));
  if (!done.empty()) script_.event(normal(deployment_, "DeploymentRollback", done));
  return {};
}

Result<void> Sync::roll() {
  TRY(Sides known, sides(true));
  TRY(const bool grown, grow_new(known));
  if (!grown && !shrink_old(known) && is_complete(deployment_, deployment_["status"]))
    TRY_VOID(clean_up(known.old));
  if (script_.waiting()) return {};
  TRY(known, sides(false));
  return write_rollout_status(known);
}

Result<bool> Sync::grow_new(const Sides& sides) {
  const std::int64_t desired = replicas_of(deployment_);
  Value new_one = sides.new_one;
  if (replicas_of(new_one) == desired) return false;
  if (replicas_of(new_one) > desired) return scale_to(new_one, desired);
  return scale_to(new_one, new_replicas(deployment_, sides.all(), new_one));
}

// Whether old ReplicaSets lost pods. What is unhealthy goes first, because it cannot make things
// worse, then as much as availability allows. A refused write ends it without being an error: the
// status is worth writing all the same, and whatever refused it makes for another sync.
bool Sync::shrink_old(const Sides& sides) {
  ReplicaSets old = active(sides.old);
  if (sum_spec_replicas(old) == 0) return false;
  const std::int64_t available_min = replicas_of(deployment_) - max_unavailable(deployment_);
  const std::int64_t new_unavailable =
      replicas_of(sides.new_one) - sides.new_one["status"]["availableReplicas"].as_int();
  const std::int64_t most = sum_spec_replicas(sides.all()) - available_min - new_unavailable;
  if (most <= 0) return false;
  old = ordered_by_age(std::move(old));
  const auto unhealthy = shrink_unhealthy(old, most);
  if (!unhealthy) return false;
  const auto healthy = shrink_healthy(old, sides.new_one);
  return healthy && *unhealthy + *healthy > 0;
}

std::optional<std::int64_t> Sync::shrink_unhealthy(ReplicaSets& old, std::int64_t most) {
  std::int64_t taken = 0;
  for (Value& one : old) {
    if (taken >= most) break;
    const std::int64_t size = replicas_of(one);
    const std::int64_t unhealthy = size - one["status"]["availableReplicas"].as_int();
    if (size == 0 || unhealthy == 0) continue;
    const std::int64_t count = std::min(most - taken, unhealthy);
    if (count < 0) return std::nullopt;  // its status counts pods that it is about to lose
    if (!scale_to(one, size - count).ok()) return std::nullopt;
    taken += count;
  }
  return taken;
}

std::optional<std::int64_t> Sync::shrink_healthy(ReplicaSets& old, const Value& new_one) {
  ReplicaSets all = old;
  all.push_back(new_one);
  const std::int64_t available_min = replicas_of(deployment_) - max_unavailable(deployment_);
  const std::int64_t most = sum_status(all, "availableReplicas") - available_min;
  std::int64_t taken = 0;
  for (Value& one : old) {
    if (taken >= most) break;
    const std::int64_t count = std::min(replicas_of(one), most - taken);
    if (count == 0) continue;
    if (!scale_to(one, replicas_of(one) - count).ok()) return std::nullopt;
    taken += count;
  }
  return taken;
}

Result<void> Sync::recreate() {
  TRY(Sides known, sides(false));
  bool scaled_down = false;
  for (Value& old : active(known.old)) {
    TRY(const bool scaled, scale_to(old, 0));
    scaled_down = scaled_down || scaled;
  }
  if (scaled_down || old_pods_run(known)) {
    TRY(known, sides(false));
    return write_rollout_status(known);
  }
  if (known.new_one.is_null()) {
    TRY(known, sides(true));
  }
  TRY([[maybe_unused]] const bool scaled, scale_to(known.new_one, replicas_of(deployment_)));
  if (is_complete(deployment_, deployment_["status"])) TRY_VOID(clean_up(known.old));
  TRY(known, sides(false));
  return write_rollout_status(known);
}

bool Sync::old_pods_run(const Sides& sides) const {
  if (sum_status(sides.old, "replicas") > 0) return true;
  for (const Value& old : sides.old)
    if (const auto at = inputs_.pods.find(model::uid_of(old)); at != inputs_.pods.end())
      if (!std::all_of(at->second.begin(), at->second.end(), model::pod_is_finished)) return true;
  return false;
}

// Old ReplicaSets beyond revisionHistoryLimit go, lowest revision first, if they have no pods.
Result<void> Sync::clean_up(const ReplicaSets& old) {
  const Value& limit = deployment_["spec"]["revisionHistoryLimit"];
  if (!limit.is_number() || limit.as_int() == INT32_MAX) return {};
  ReplicaSets alive;
  std::copy_if(old.begin(), old.end(), std::back_inserter(alive),
               [](const Value& one) { return !one.is_null() && !model::is_deleting(one); });
  const std::int64_t surplus = static_cast<std::int64_t>(alive.size()) - limit.as_int();
  if (surplus <= 0) return {};
  order_by_revision(alive);
  alive.resize(static_cast<std::size_t>(surplus));
  for (const Value& one : alive) {
    if (one["status"]["replicas"].as_int() != 0 || replicas_of(one) != 0 ||
        model::generation_of(one) > one["status"]["observedGeneration"].as_int())
      continue;
    const Result<Value> removed = script_.write(remove(kReplicaSets, one));
    if (!removed.ok() && removed.error().reason != Reason::not_found) return removed.error();
    std::erase_if(replica_sets_,
                  [&](const Value& known) { return model::uid_of(known) == model::uid_of(one); });
  }
  return {};
}

Value Sync::status_of(const Sides& sides) const {
  const ReplicaSets all = sides.all();
  const std::int64_t available = sum_status(all, "availableReplicas");
  Value status = Value::object();
  set_count(status, "observedGeneration", model::generation_of(deployment_));
  set_count(status, "replicas", sum_status(all, "replicas"));
  set_count(status, "updatedReplicas", sides.new_one["status"]["replicas"].as_int());
  set_count(status, "readyReplicas", sum_status(all, "readyReplicas"));
  set_count(status, "availableReplicas", available);
  set_count(status, "unavailableReplicas",
            std::max<std::int64_t>(0, sum_spec_replicas(all) - available));
  if (const auto terminating = sum_terminating(all)) status.set("terminatingReplicas", *terminating);
  for (const char* kept : {"collisionCount", "conditions"})
    if (const Value& value = deployment_["status"][kept]; !value.is_null()) status.set(kept, value);

  const bool enough = available >= replicas_of(deployment_) - max_unavailable(deployment_);
  set_condition(status, enough ? condition("Available", "True", "MinimumReplicasAvailable",
                                           "Deployment has minimum availability.")
                               : condition("Available", "False", "MinimumReplicasUnavailable",
                                           "Deployment does not have minimum availability."));
  return status;
}

Result<void> Sync::write_plain_status(const Sides& sides) {
  Value status = status_of(sides);
  if (same_content(status, deployment_["status"])) return {};
  deployment_.set("status", std::move(status));
  return write_status();
}

bool Sync::has_timed_out(const Value& status) const {
  const Value& progressing = condition_in(status, "Progressing");
  const std::string_view reason = progressing["reason"].as_string();
  // What was complete once is no rollout any more.
  if (progressing.is_null() || reason == "NewReplicaSetAvailable") return false;
  return reason == "ProgressDeadlineExceeded" || deadline_after(progressing) < inputs_.now;
}

void Sync::judge_progress(const Sides& sides, Value& status) const {
  const Value current = condition_in(deployment_["status"], "Progressing");
  const std::string subject = sides.new_one.is_null()
                                  ? "Deployment " + quoted_name(deployment_)
                                  : "ReplicaSet " + quoted_name(sides.new_one);
  if (is_complete(deployment_, status)) {
    set_condition(status, condition("Progressing", "True", "NewReplicaSetAvailable",
                                    subject + " has successfully progressed."));
  } else if (is_progressing(deployment_["status"], status)) {
    // Unlike any other condition this one is renewed with the same reason, because lastUpdateTime
    // is what the deadline counts from.
    Value progressing =
        condition("Progressing", "True", "ReplicaSetUpdated", subject + " is progressing.");
    if (current["status"].as_string() == "True")
      progressing.set("lastTransitionTime", current["lastTransitionTime"]);
    remove_condition(status, "Progressing");
    set_condition(status, std::move(progressing));
  } else if (has_timed_out(status)) {
    set_condition(status, condition("Progressing", "False", "ProgressDeadlineExceeded",
                                    subject + " has timed out progressing."));
  }
}

// The failure of the new ReplicaSet, else the first of any, as a Deployment's condition.
Value replica_failure(const Value& new_one, const ReplicaSets& all) {
  Value found = condition_in(new_one["status"], "ReplicaFailure");
  for (const Value& one : all)
    if (found.is_null()) found = condition_in(one["status"], "ReplicaFailure");
  if (!found.is_null()) found.set("lastUpdateTime", found["lastTransitionTime"]);
  return found;
}

Result<void> Sync::write_rollout_status(const Sides& sides) {
  Value status = status_of(sides);
  if (!has_progress_deadline(deployment_)) {
    remove_condition(status, "Progressing");
  } else {
    const Value& current = condition_in(deployment_["status"], "Progressing");
    const bool was_complete = current["reason"].as_string() == "NewReplicaSetAvailable" &&
                              status["replicas"] == status["updatedReplicas"];
    if (!was_complete) judge_progress(sides, status);
  }
  if (Value failure = replica_failure(sides.new_one, sides.all()); !failure.is_null())
    set_condition(status, std::move(failure));
  else
    remove_condition(status, "ReplicaFailure");

  if (same_content(status, deployment_["status"])) {
    wake_for_deadline(status);
    return {};
  }
  deployment_.set("status", std::move(status));
  return write_status();
}

// Nothing moves: look again a second after the deadline, which spares a close race with the clock.
void Sync::wake_for_deadline(const Value& status) {
  const Value& progressing = condition_in(deployment_["status"], "Progressing");
  const std::string_view reason = progressing["reason"].as_string();
  if (!has_progress_deadline(deployment_) || progressing.is_null() ||
      is_complete(deployment_, status) || reason == "ProgressDeadlineExceeded")
    return;
  const Instant deadline = deadline_after(progressing);
  if (deadline - inputs_.now >= Duration::seconds(1)) {
    script_.wake_at(deadline + Duration::seconds(1));
  } else if (reason != "NewReplicaSetAvailable") {
    script_.wake_at(std::max(deadline, inputs_.now) + Duration::milliseconds(5));
  }
  // Else it was complete once and never times out. Kubernetes looks every few milliseconds.
}

}  // namespace

Result<void> sync_deployment(const DeploymentInputs& inputs, Script& script) {
  return Sync(inputs, script).run();
}

}  // namespace keelson::control
