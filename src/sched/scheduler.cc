// Changes in, plans out. Texts of events and conditions are those of Kubernetes.
#include "sched/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "model/meta.h"
#include "sched/plugins/dynamic_resources.h"
#include "sched/plugins/volume_claims.h"

namespace keelson::sched {
namespace {

using cluster::Key;
using cluster::Plan;
using cluster::Sync;
using cluster::View;
using cluster::Watch;
using cluster::Write;

constexpr Duration kVolumesMax = Duration::minutes(10);
// Besides pods and nodes: what may make room for a pod that waits.
constexpr std::string_view kOthers[] = {
    "namespaces",
    "persistentvolumeclaims",
    "persistentvolumes",
    "storageclasses.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "csidrivers.storage.k8s.io",
    "csistoragecapacities.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
    "resourceclaims.resource.k8s.io",
    "resourceslices.resource.k8s.io",
    "deviceclasses.resource.k8s.io",
};

std::string uid_or_key(const Value& pod) {
  std::string uid(model::uid_of(pod));
  if (uid.empty())
    uid = std::string(model::namespace_of(pod)) + "/" + std::string(model::name_of(pod));
  return uid;
}

bool is_bound(const Value& pod) {
  return !pod["spec"]["nodeName"].as_string().empty();
}

// Takes up room on its node.
bool occupies(const Value& pod) {
  return pod.is_object() && is_bound(pod) && !model::pod_is_finished(pod);
}

// The conditions with `condition` in the place of the one of its type; null if that changes
// nothing but times.
Value with_condition(const Value& pod, Value condition, Instant now) {
  Value conditions = pod["status"]["conditions"];
  const std::string type = condition["type"].str();
  condition.set("lastProbeTime", nullptr);
  condition.set("lastTransitionTime", to_rfc3339(now));
  if (const std::int64_t generation = model::generation_of(pod); generation > 0)
    condition.set("observedGeneration", generation);
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const Value& old = conditions[i];
    if (old["type"].as_string() != type) continue;
    if (old["status"] == condition["status"])
      condition.set("lastTransitionTime", old["lastTransitionTime"]);
    bool same = true;
    for (const char* field : {"status", "reason", "message", "observedGeneration"})
      same = same && old[field] == condition[field];
    if (same) return {};
    conditions.edit(i) = std::move(condition);
    return conditions;
  }
  conditions.push_back(std::move(condition));
  return conditions;
}

Value binding_of(const PodInfo& pod, const std::string& node) {
  Value binding = Value::object({{"apiVersion", "v1"}, {"kind", "Binding"}});
  Value& meta = binding.edit("metadata");
  meta.set("name", pod.name);
  meta.set("namespace", pod.namespace_);
  if (const Value& uid = pod.pod["metadata"]["uid"]; !uid.is_null()) meta.set("uid", uid);
  binding.set("target", Value::object({{"kind", "Node"}, {"name", node}}));
  return binding;
}

Value condition(std::string_view type, bool is_true, std::string_view reason,
                std::string_view message) {
  return Value::object({{"type", type},
                        {"status", is_true ? "True" : "False"},
                        {"reason", reason},
                        {"message", message}});
}

}  // namespace

Scheduler::Scheduler(SchedulerOptions options) : options_(std::move(options)) {}

std::vector<Watch> Scheduler::watches() const {
  // The announcements are how the snapshot and the queue follow the cluster; every one leads to
  // the same single key, because which pod is next is for the queue to say.
  auto* self = const_cast<Scheduler*>(this);
  const auto watch = [self](std::string_view resource, auto handler) {
    return Watch{std::string(resource),
                 [self, handler](const View& view, const Value& before, const Value& after) {
                   std::vector<Key> keys;
                   if (handler(*self, view, before, after))
                     keys.push_back({"", self->options_.name});
                   return keys;
                 }};
  };
  std::vector<Watch> watches{watch("nodes", [](Scheduler& s, const View& v, const Value& b,
                                               const Value& a) { return s.on_node(v, b, a); }),
                             watch("pods", [](Scheduler& s, const View& v, const Value& b,
                                              const Value& a) { return s.on_pod(v, b, a); })};
  for (const std::string_view resource : kOthers)
    watches.push_back(
        watch(resource, [resource](Scheduler& s, const View& v, const Value& b, const Value& a) {
          return s.on_other(v, resource, b, a);
        }));
  return watches;
}

bool Scheduler::notify(const View& view, const Change& change) {
  if (is_relevant(change)) queue_.on_change(view, change);
  return queue_.ready();
}

bool Scheduler::on_node(const View& view, const Value& before, const Value& after) {
  if (after.is_null())
    snapshot_.remove_node(std::string(model::name_of(before)));
  else
    snapshot_.set_node(after);
  return notify(view, {"nodes", before, after});
}

bool Scheduler::on_other(const View& view, std::string_view resource, const Value& before,
                         const Value& after) {
  const bool something = notify(view, {resource, before, after});
  return something || !waiting_.empty();
}

void Scheduler::place_bound(const Value& pod) {
  const PodPointer info = make_pod_info(pod);
  assumed_.erase(info->uid);
  waiting_.erase(info->uid);
  queue_.remove(info->uid);
  snapshot_.clear_nomination(info->uid);
  snapshot_.set_pod(info, std::string(info->node_name()));
}

void Scheduler::forget_bound(const View& view, const Value& pod) {
  snapshot_.remove_pod(uid_or_key(pod));
  notify(view, {"pods", pod, Value()});
}

bool Scheduler::on_pod(const View& view, const Value& before, const Value& after) {
  const std::string uid = uid_or_key(after.is_null() ? before : after);
  // A pod that was made anew under the same name is another pod.
  if (before.is_object() && after.is_object() && uid_or_key(before) != uid) {
    on_pod(view, before, Value());
    return on_pod(view, Value(), after);
  }
  if (occupies(after)) {
    const bool was_there = occupies(before);
    place_bound(after);
    return notify(view, {"pods", was_there ? before : Value(), after});
  }
  const bool mine = after.is_object() && !is_bound(after) && !model::pod_is_finished(after) &&
                    !model::is_deleting(after) &&
                    after["spec"]["schedulerName"].as_string("default-scheduler") == options_.name;
  if (mine) {
    // Between the binding and the news of it, what the pod's status says is of no matter.
    if (assumed_.contains(uid)) return false;
    const PodPointer info = make_pod_info(after);
    const std::string nominated(info->nominated_node());
    if (!nominated.empty() || !snapshot_.nomination_of(uid).empty())
      snapshot_.nominate(info, nominated);
    queue_.set(view, info);
    return queue_.ready();
  }
  // Gone, finished, or somebody else's.
  const bool counted = snapshot_.pod(uid) != nullptr;
  const bool nominated = !snapshot_.nomination_of(uid).empty();
  queue_.remove(uid);
  assumed_.erase(uid);
  waiting_.erase(uid);
  snapshot_.clear_nomination(uid);
  if (!counted && !nominated) return false;
  const Value last = before.is_object() ? before : after;
  forget_bound(view, last);
  return queue_.ready();
}

Plan Scheduler::reconcile(const Sync& sync) {
  Plan plan;
  for (StatusUpdate& update : std::exchange(retries_, {}))
    update_status(sync, std::move(update), plan);
  check_waiting(sync, plan);
  if (const PodPointer pod = queue_.pop(sync.now)) attempt(sync, pod, plan);
  seal(plan, sync.now);
  return plan;
}

void Scheduler::on_result(Plan& plan, std::function<void(const Result<Value>&, Plan&)> call) {
  outcomes_.resize(plan.writes.size());
  outcomes_.back() = std::move(call);
}

// Ends a plan: when to come back, and what is to be done with the results of its writes, which may
// lead to further writes.
void Scheduler::seal(Plan& plan, Instant now) {
  plan.wake_at = retries_.empty() ? queue_.next_time(now) : now;
  for (const auto& [uid, waiting] : waiting_)
    if (!plan.wake_at || waiting.deadline < *plan.wake_at) plan.wake_at = waiting.deadline;
  if (plan.writes.empty()) return;
  outcomes_.resize(plan.writes.size());
  plan.then = [this, outcomes = std::exchange(outcomes_, {}),
               now](std::vector<Result<Value>> results) {
    Plan next;
    for (std::size_t i = 0; i < results.size() && i < outcomes.size(); ++i)
      if (outcomes[i]) outcomes[i](results[i], next);
    seal(next, now);
    return next;
  };
}

void Scheduler::attempt(const Sync& sync, const PodPointer& pod, Plan& plan) {
  const Decision decision = decide(
      snapshot_, sync.view, *pod,
      {.percentage_of_nodes_to_score = options_.percentage_of_nodes_to_score, .start = start_},
      sync.rng);
  start_ = decision.next_start;
  last_attempt_ = sync.now;
  if (decision.outcome == Decision::Outcome::placed) {
    snapshot_.clear_nomination(pod->uid);
    snapshot_.set_pod(pod, decision.node);
    assumed_[pod->uid] = decision.node;
    bind_volumes(sync, pod, decision.node, plan);
    return;
  }
  const std::string nominated = decision.preemption.node;
  if (!nominated.empty())
    snapshot_.nominate(pod, nominated);
  else if (decision.clears_nomination)
    snapshot_.clear_nomination(pod->uid);
  report(sync, pod, decision, plan);
  if (!nominated.empty()) evict(sync, pod, decision, plan);
  if (decision.outcome == Decision::Outcome::error)
    queue_.put_failed(pod->uid, sync.now);
  else
    queue_.put_unschedulable(pod->uid, decision.plugins, sync.now);
}

void Scheduler::bind(const PodPointer& pod, const std::string& node, Plan& plan) {
  plan.writes.push_back({.verb = Write::Verb::create,
                         .resource = "pods",
                         .namespace_ = pod->namespace_,
                         .name = pod->name,
                         .subresource = "binding",
                         .object = binding_of(*pod, node)});
  on_result(plan, [this, pod, node](const Result<Value>& result, Plan& next) {
    if (result.ok()) {
      queue_.remove(pod->uid);
      next.events.push_back({pod->pod, false, "Scheduled",
                             "Successfully assigned " + pod->key() + " to " + node, "Binding"});
      return;
    }
    // The news may have come first: then it is on a node, or gone.
    if (assumed_.erase(pod->uid) == 0) return;
    snapshot_.remove_pod(pod->uid);
    if (result.error().reason == Reason::not_found) {
      queue_.remove(pod->uid);
      return;
    }
    next.events.push_back(
        {pod->pod, true, "FailedScheduling",
         event_note("running Bind plugin \"DefaultBinder\": " + result.error().message),
         "Scheduling"});
    queue_.put_failed(pod->uid, last_attempt_);
  });
}

void Scheduler::bind_devices(const Sync& sync, const PodPointer& pod, const std::string& node,
                             Plan& plan) {
  if (pod->spec()["resourceClaims"].empty() && pod->requested.scalars.empty())
    return bind(pod, node, plan);
  bool extended = false;
  const Cycle cycle{snapshot_, sync.view, *pod};
  auto found = allocate_claims(cycle, *snapshot_.node(node), extended);
  if (!found.ok()) return give_up(sync, pod, found.error().message, plan);
  if (!*found) return give_up(sync, pod, "cannot allocate all claims", plan);
  if (extended)
    return give_up(sync, pod,
                   "devices for an extended resource are found but cannot be claimed: use a "
                   "ResourceClaim",
                   plan);
  if ((*found)->empty()) return bind(pod, node, plan);
  // The binding follows when every claim is written.
  const auto left = std::make_shared<std::size_t>((*found)->size());
  const auto failed = std::make_shared<std::string>();
  for (const ClaimAllocation& entry : **found) {
    Value patch = Value::object();
    Value& status = patch.edit("status");
    if (!entry.allocation.is_null()) status.set("allocation", entry.allocation);
    Value users = entry.claim["status"]["reservedFor"];
    const auto& elements = users.elements();
    if (std::none_of(elements.begin(), elements.end(),
                     [&](const Value& user) { return user["uid"].as_string() == pod->uid; }))
      users.push_back(
          Value::object({{"resource", "pods"}, {"name", pod->name}, {"uid", pod->uid}}));
    status.set("reservedFor", std::move(users));
    plan.writes.push_back({.verb = Write::Verb::merge_patch,
                           .resource = "resourceclaims.resource.k8s.io",
                           .namespace_ = pod->namespace_,
                           .name = std::string(model::name_of(entry.claim)),
                           .subresource = "status",
                           .object = std::move(patch),
                           .revision = std::string(model::revision_of(entry.claim))});
    on_result(plan, [this, pod, node, left, failed](const Result<Value>& result, Plan& next) {
      if (!result.ok()) *failed = result.error().message;
      if (--*left > 0) return;
      if (failed->empty()) return bind(pod, node, next);
      if (assumed_.erase(pod->uid) == 0) return;
      snapshot_.remove_pod(pod->uid);
      next.events.push_back({pod->pod, true, "FailedScheduling",
                             event_note("running PreBind plugin \"DynamicResources\": " + *failed),
                             "Scheduling"});
      queue_.put_failed(pod->uid, last_attempt_);
    });
  }
}

void Scheduler::bind_volumes(const Sync& sync, const PodPointer& pod, const std::string& node,
                             Plan& plan) {
  const auto claims = claims_of(sync.view, *pod);
  if (!claims.ok() || claims->delayed.empty()) return bind_devices(sync, pod, node, plan);
  const auto volumes = find_volumes(sync.view, *claims, *snapshot_.node(node));
  if (!volumes.ok()) return give_up(sync, pod, volumes.error().message, plan);
  for (const auto& match : volumes->matches) {
    Value patch = Value::object();
    patch.edit("metadata").edit("annotations").set("pv.kubernetes.io/bound-by-controller", "yes");
    Value reference = model::object_reference(match.claim);
    patch.edit("spec").set("claimRef", std::move(reference));
    plan.writes.push_back({.verb = Write::Verb::merge_patch,
                           .resource = "persistentvolumes",
                           .name = std::string(model::name_of(match.volume)),
                           .object = std::move(patch),
                           .revision = std::string(model::revision_of(match.volume))});
  }
  for (const Value& claim : volumes->provisions) {
    if (model::annotations_of(claim).has(kSelectedNode)) continue;
    Value patch = Value::object();
    patch.edit("metadata").edit("annotations").set(kSelectedNode, node);
    plan.writes.push_back({.verb = Write::Verb::merge_patch,
                           .resource = "persistentvolumeclaims",
                           .namespace_ = pod->namespace_,
                           .name = std::string(model::name_of(claim)),
                           .object = std::move(patch),
                           .revision = std::string(model::revision_of(claim))});
  }
  waiting_[pod->uid] = {pod, node, sync.now + kVolumesMax};
}

void Scheduler::check_waiting(const Sync& sync, Plan& plan) {
  std::vector<std::pair<Waiting, std::string>> failed;
  std::vector<Waiting> ready;
  for (const auto& [uid, waiting] : waiting_) {
    const auto claims = claims_of(sync.view, *waiting.pod);
    if (!claims.ok())
      failed.emplace_back(waiting, claims.error().message);
    else if (claims->delayed.empty() && claims->immediate.empty())
      ready.push_back(waiting);
    else if (waiting.deadline <= sync.now)
      failed.emplace_back(waiting, "binding volumes: context deadline exceeded");
  }
  for (const Waiting& waiting : ready) {
    waiting_.erase(waiting.pod->uid);
    bind_devices(sync, waiting.pod, waiting.node, plan);
  }
  for (const auto& [waiting, message] : failed)
    give_up(sync, waiting.pod, "running PreBind plugin \"VolumeBinding\": " + message, plan);
}

void Scheduler::give_up(const Sync& sync, const PodPointer& pod, const std::string& message,
                        Plan& plan) {
  waiting_.erase(pod->uid);
  assumed_.erase(pod->uid);
  snapshot_.remove_pod(pod->uid);
  Decision decision;
  decision.message = message;
  decision.clears_nomination = true;
  report(sync, pod, decision, plan);
  queue_.put_failed(pod->uid, sync.now);
}

void Scheduler::report(const Sync& sync, const PodPointer& pod, const Decision& decision,
                       Plan& plan) {
  const bool error = decision.outcome == Decision::Outcome::error;
  plan.events.push_back(
      {pod->pod, true, "FailedScheduling", event_note(decision.message), "Scheduling"});
  StatusUpdate update{pod->namespace_, pod->name, pod->uid,
                      condition("PodScheduled", false, error ? "SchedulerError" : "Unschedulable",
                                decision.message),
                      std::nullopt};
  if (!decision.preemption.node.empty())
    update.nominated = decision.preemption.node;
  else if (decision.clears_nomination)
    update.nominated = "";
  update_status(sync, std::move(update), plan);
}

void Scheduler::evict(const Sync& sync, const PodPointer& pod, const Decision& decision,
                      Plan& plan) {
  const std::string& node = decision.preemption.node;
  // Those less important that hoped for this node must look for another.
  for (const PodPointer& other : std::vector<PodPointer>(snapshot_.nominated(node))) {
    if (other->priority >= pod->priority) continue;
    snapshot_.clear_nomination(other->uid);
    update_status(sync, {other->namespace_, other->name, other->uid, {}, ""}, plan);
  }
  for (const PodPointer& victim : decision.preemption.victims) {
    if (victim->deleting) continue;
    update_status(sync,
                  {victim->namespace_, victim->name, victim->uid,
                   condition("DisruptionTarget", true, "PreemptionByScheduler",
                             options_.name + ": preempting to accommodate a higher priority pod"),
                   std::nullopt},
                  plan);
    plan.writes.push_back({.verb = Write::Verb::remove,
                           .resource = "pods",
                           .namespace_ = victim->namespace_,
                           .name = victim->name,
                           .uid = std::string(model::uid_of(victim->pod))});
    on_result(plan, [victim, by = pod->uid, node](const Result<Value>& result, Plan& next) {
      if (result.ok())
        next.events.push_back({victim->pod, false, "Preempted",
                               "Preempted by pod " + by + " on node " + node, "Preempting"});
    });
  }
}

void Scheduler::update_status(const Sync& sync, StatusUpdate update, Plan& plan) {
  const Value pod = sync.view.get("pods", update.namespace_, update.name);
  if (pod.is_null() || uid_or_key(pod) != update.uid) return;
  Value patch = Value::object();
  if (!update.condition.is_null())
    if (Value conditions = with_condition(pod, update.condition, sync.now); !conditions.is_null())
      patch.edit("status").set("conditions", std::move(conditions));
  const Value& known = pod["status"]["nominatedNodeName"];
  if (update.nominated && *update.nominated != known.as_string())
    patch.edit("status").set("nominatedNodeName",
                             update.nominated->empty() ? Value() : Value(*update.nominated));
  if (patch.empty()) return;
  plan.writes.push_back({.verb = Write::Verb::merge_patch,
                         .resource = "pods",
                         .namespace_ = update.namespace_,
                         .name = update.name,
                         .subresource = "status",
                         .object = std::move(patch),
                         .revision = std::string(model::revision_of(pod))});
  on_result(plan, [this, update = std::move(update)](const Result<Value>& result, Plan&) {
    // Lists of conditions are replaced as a whole: on a conflict, again on top of what is new.
    if (!result.ok() && result.error().reason == Reason::conflict) retries_.push_back(update);
  });
}

}  // namespace keelson::sched
