// What a Deployment's sync decides: a straight line from claims to the status, with each write's
// result taken into what follows. Pure; see deployment.h.
#include <algorithm>

#include "base/text.h"
#include "control/common/templates.h"
#include "control/deployment/deployment_sync.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace rollout {

// Puts a written ReplicaSet in the place of what was known of it.
void DeploymentSync::note(const Value& replica_set) {
  for (Value& known : replica_sets_)
    if (model::uid_of(known) == model::uid_of(replica_set)) {
      known = replica_set;
      return;
    }
  replica_sets_.push_back(replica_set);
  replica_sets_ = ordered_by_age(std::move(replica_sets_));
}

Result<void> DeploymentSync::run() {
  const Value& selector = deployment_["spec"]["selector"];
  if (selector["matchLabels"].empty() && selector["matchExpressions"].empty()) {
    script_.event(
        warning(deployment_, "SelectingAll",
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
Result<void> DeploymentSync::note_paused() {
  if (!has_progress_deadline(deployment_)) return {};
  const Value& progressing = condition_in(deployment_["status"], "Progressing");
  const std::string_view reason = progressing["reason"].as_string();
  if (reason == "ProgressDeadlineExceeded") return {};
  const bool paused = deployment_["spec"]["paused"].as_bool();
  if (paused == (reason == "DeploymentPaused")) return {};
  set_condition(
      deployment_.edit("status"),
      paused ? condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
             : condition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed"));
  return write_status();
}

Result<DeploymentSync::Sides> DeploymentSync::sides(bool create_if_missing) {
  Sides found;
  TRY(found.new_one, new_replica_set(find_old(deployment_, replica_sets_), create_if_missing));
  found.old = find_old(deployment_, replica_sets_);
  return found;
}

Result<Value> DeploymentSync::new_replica_set(const ReplicaSets& old, bool create_if_missing) {
  const std::int64_t revision = max_revision(old) + 1;
  const Value existing = find_new(deployment_, replica_sets_);
  if (!existing.is_null()) return adopt_as_new(existing, revision);
  if (!create_if_missing) return Value();
  return create_new(old, revision);
}

// The ReplicaSet exists: its annotations follow the Deployment, the Deployment's revision follows
// it.
Result<Value> DeploymentSync::adopt_as_new(Value replica_set, std::int64_t revision) {
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

namespace {

std::string hash_of(const Value& deployment) {
  const Value& collisions = deployment["status"]["collisionCount"];
  return template_hash(deployment["spec"]["template"],
                       collisions.is_number() ? std::optional(collisions.as_int()) : std::nullopt);
}

// With its hash among the labels of template and selector, and not sized yet.
Value blank_replica_set(const Value& deployment) {
  Value pod_template = deployment["spec"]["template"];
  const std::string hash = hash_of(deployment);
  pod_template.edit("metadata").edit("labels").set(kHashLabel, hash);
  Value selector = deployment["spec"]["selector"];
  selector.edit("matchLabels").set(kHashLabel, hash);

  Value meta =
      Value::object({{"name", new_replica_set_name(deployment)},
                     {"namespace", model::namespace_of(deployment)},
                     {"labels", pod_template["metadata"]["labels"]},
                     {"ownerReferences", Value::array({model::controller_reference(deployment)})}});
  Value spec = Value::object({{"replicas", 0}, {"selector", selector}, {"template", pod_template}});
  set_count(spec, "minReadySeconds", deployment["spec"]["minReadySeconds"].as_int());
  return Value::object(
      {{"apiVersion", "apps/v1"}, {"kind", "ReplicaSet"}, {"metadata", meta}, {"spec", spec}});
}

}  // namespace

Result<Value> DeploymentSync::create_new(const ReplicaSets& old, std::int64_t revision) {
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
Result<Value> DeploymentSync::creation_failed(const Value& wanted, const Error& error) {
  if (namespace_is_terminating(error)) return error;
  if (error.reason == Reason::already_exists) {
    // The view is behind: what it does not show may well be ours.
    const Value& occupant = inputs_.occupant;
    if (occupant.is_null()) return error;
    if (model::is_controlled_by(occupant, model::uid_of(deployment_)) &&
        same_content(without_label(occupant["spec"]["template"], kHashLabel),
                     without_label(deployment_["spec"]["template"], kHashLabel)))
      return occupant;
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
Result<bool> DeploymentSync::is_scaling() {
  TRY(const Sides known, sides(false));
  for (const Value& one : active(known.all())) {
    const auto desired = desired_replicas(one);
    if (desired && *desired != replicas_of(deployment_)) return true;
  }
  return false;
}

// Paused, or only the number changed: no rollout, sizes alone.
Result<void> DeploymentSync::sync_scale() {
  TRY(const Sides known, sides(false));
  TRY_VOID(scale(known));
  const bool rolls_back = parse_int(model::annotation_of(deployment_, kRollbackTo)).has_value();
  if (deployment_["spec"]["paused"].as_bool() && !rolls_back) TRY_VOID(clean_up(known.old));
  TRY(const Sides now, sides(false));
  return write_plain_status(now);
}

Result<void> DeploymentSync::scale(const Sides& sides) {
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
Result<void> DeploymentSync::scale_in_proportion(const Sides& sides) {
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

Result<bool> DeploymentSync::scale_to(Value& replica_set, std::int64_t size, bool force) {
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
                       std::string("Scaled ") + (before < size ? "up" : "down") + " replica set " +
                           std::string(model::name_of(replica_set)) + " from " +
                           std::to_string(before) + " to " + std::to_string(size)));
  return true;
}

Result<void> DeploymentSync::roll_back(std::int64_t revision) {
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

Result<void> DeploymentSync::roll() {
  TRY(Sides known, sides(true));
  TRY(const bool grown, grow_new(known));
  if (!grown && !shrink_old(known) && is_complete(deployment_, deployment_["status"]))
    TRY_VOID(clean_up(known.old));
  if (script_.waiting()) return {};
  TRY(known, sides(false));
  return write_rollout_status(known);
}

Result<bool> DeploymentSync::grow_new(const Sides& sides) {
  const std::int64_t desired = replicas_of(deployment_);
  Value new_one = sides.new_one;
  if (replicas_of(new_one) == desired) return false;
  if (replicas_of(new_one) > desired) return scale_to(new_one, desired);
  return scale_to(new_one, new_replicas(deployment_, sides.all(), new_one));
}

// Whether old ReplicaSets lost pods. What is unhealthy goes first, because it cannot make things
// worse, then as much as availability allows. A refused write ends it without being an error: the
// status is worth writing all the same, and whatever refused it makes for another sync.
bool DeploymentSync::shrink_old(const Sides& sides) {
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

std::optional<std::int64_t> DeploymentSync::shrink_unhealthy(ReplicaSets& old, std::int64_t most) {
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

std::optional<std::int64_t> DeploymentSync::shrink_healthy(ReplicaSets& old, const Value& new_one) {
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

Result<void> DeploymentSync::recreate() {
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

bool DeploymentSync::old_pods_run(const Sides& sides) const {
  if (sum_status(sides.old, "replicas") > 0) return true;
  for (const Value& old : sides.old)
    if (const auto at = inputs_.pods.find(model::uid_of(old)); at != inputs_.pods.end())
      if (!std::all_of(at->second.begin(), at->second.end(), model::pod_is_finished)) return true;
  return false;
}

// Old ReplicaSets beyond revisionHistoryLimit go, lowest revision first, if they have no pods.
Result<void> DeploymentSync::clean_up(const ReplicaSets& old) {
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

}  // namespace rollout

std::string new_replica_set_name(const Value& deployment) {
  constexpr std::size_t kNameMax = 253;
  const std::string hash = rollout::hash_of(deployment);
  return std::string(model::name_of(deployment).substr(0, kNameMax - 1 - hash.size())) + "-" + hash;
}

Result<void> sync_deployment(const DeploymentInputs& inputs, Script& script) {
  return rollout::DeploymentSync(inputs, script).run();
}

}  // namespace keelson::control
