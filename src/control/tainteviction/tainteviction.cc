#include "control/tainteviction/tainteviction.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "model/conditions.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

using cluster::Key;
using cluster::Plan;
using cluster::Write;
using codec::Value;

Value no_execute(const Value& node) {
  Value taints = Value::array();
  for (const Value& taint : node["spec"]["taints"].elements())
    if (taint["effect"].as_string() == "NoExecute") taints.push_back(taint);
  return taints;
}

bool tolerates(const Value& toleration, const Value& taint) {
  const std::string_view effect = toleration["effect"].as_string(),
                         key = toleration["key"].as_string();
  if (!effect.empty() && effect != taint["effect"].as_string()) return false;
  if (!key.empty() && key != taint["key"].as_string()) return false;
  const std::string_view op = toleration["operator"].as_string();
  if (op == "Exists") return true;
  return (op.empty() || op == "Equal") &&
         toleration["value"].as_string() == taint["value"].as_string();
}

// How long the pod stays: nullopt for ever, zero if a taint is not tolerated at all.
struct Stay {
  bool tolerated = true;
  std::optional<Duration> limit = {};
};
Stay stay_of(const Value& pod, const Value& taints) {
  Stay stay;
  for (const Value& taint : taints.elements()) {
    const auto& all = pod["spec"]["tolerations"].elements();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Value& t) { return tolerates(t, taint); });
    if (found == all.end()) return {.tolerated = false};
    // The first toleration that fits a taint is the one that counts for it.
    const Value& seconds = (*found)["tolerationSeconds"];
    if (seconds.is_null()) continue;
    const Duration limit = Duration::seconds(std::max<std::int64_t>(0, seconds.as_int()));
    if (!stay.limit || limit < *stay.limit) stay.limit = limit;
  }
  return stay;
}

Key key_of(const Value& object) {
  return {std::string(model::namespace_of(object)), std::string(model::name_of(object))};
}

void evict(const Value& pod, Instant now, Plan& plan) {
  const Key key = key_of(pod);
  plan.events.push_back({.regarding = pod,
                         .reason = "TaintManagerEviction",
                         .message = "Marking for deletion Pod " + key.namespace_ + "/" + key.name});
  Value status = pod["status"];
  model::put_condition(status,
                       Value::object({{"type", "DisruptionTarget"},
                                      {"status", "True"},
                                      {"reason", "DeletionByTaintManager"},
                                      {"message", "Taint manager: deleting due to NoExecute taint"},
                                      {"lastTransitionTime", to_rfc3339(now)}}));
  const Value& conditions = status["conditions"];
  if (!(conditions == pod["status"]["conditions"]))
    plan.writes.push_back(
        {.verb = Write::Verb::merge_patch,
         .resource = "pods",
         .namespace_ = key.namespace_,
         .name = key.name,
         .subresource = "status",
         .object = Value::object({{"status", Value::object({{"conditions", conditions}})}}),
         .uid = std::string(model::uid_of(pod))});
  plan.writes.push_back({.verb = Write::Verb::remove,
                         .resource = "pods",
                         .namespace_ = key.namespace_,
                         .name = key.name});
}

}  // namespace

std::vector<cluster::Watch> TaintEvictionController::watches() const {
  return {{"nodes",
           [](const cluster::View&, const Value& before, const Value& after) {
             if (!before.is_null() && !after.is_null() && no_execute(before) == no_execute(after))
               return std::vector<Key>{};
             return std::vector<Key>{
                 {"", std::string(model::name_of(after.is_null() ? before : after))}};
           }},
          {"pods", [](const cluster::View&, const Value& before, const Value& after) {
             if (!before.is_null() && !after.is_null() &&
                 before["spec"]["tolerations"] == after["spec"]["tolerations"] &&
                 before["spec"]["nodeName"] == after["spec"]["nodeName"])
               return std::vector<Key>{};
             return std::vector<Key>{key_of(after.is_null() ? before : after)};
           }}};
}

Plan TaintEvictionController::reconcile(const cluster::Sync& sync) {
  Plan plan;
  if (sync.key.namespace_.empty())
    follow_node(sync, plan);
  else
    follow_pod(sync, sync.key, plan);
  return plan;
}

void TaintEvictionController::follow_node(const cluster::Sync& sync, Plan& plan) {
  const Value node = sync.view.get("nodes", {}, sync.key.name);
  if (node.is_null()) {
    taints_.erase(sync.key.name);
    return;
  }
  const Value taints = no_execute(node);
  Value& known = taints_[sync.key.name];
  // Only a change of the taints weighs the pods anew; a wake-up is for clocks that have run out.
  if (std::exchange(known, taints) != taints)
    for (const Value& pod : sync.view.list("pods")) {
      if (pod["spec"]["nodeName"].as_string() != sync.key.name) continue;
      if (taints.empty())
        cancel(key_of(pod), pod, plan);
      else
        weigh(pod, taints, sync.now, plan);
    }
  if (taints.empty()) taints_.erase(sync.key.name);
  for (auto& [key, eviction] : evictions_) {
    if (eviction.done || eviction.due > sync.now) continue;
    const Value pod = sync.view.get("pods", key.namespace_, key.name);
    eviction.done = true;
    if (!pod.is_null()) evict(pod, sync.now, plan);
  }
  for (const auto& [key, eviction] : evictions_)
    if (!eviction.done && (!plan.wake_at || eviction.due < *plan.wake_at))
      plan.wake_at = eviction.due;
}

void TaintEvictionController::follow_pod(const cluster::Sync& sync, const Key& key, Plan& plan) {
  const Value pod = sync.view.get("pods", key.namespace_, key.name);
  if (pod.is_null()) {
    cancel(key, {}, plan);
    return;
  }
  const auto taints = taints_.find(pod["spec"]["nodeName"].str());
  if (taints != taints_.end()) weigh(pod, taints->second, sync.now, plan);
  const auto eviction = evictions_.find(key);
  if (eviction == evictions_.end() || eviction->second.done) return;
  if (eviction->second.due > sync.now) {
    plan.wake_at = eviction->second.due;
    return;
  }
  eviction->second.done = true;
  evict(pod, sync.now, plan);
}

void TaintEvictionController::weigh(const Value& pod, const Value& taints, Instant now,
                                    Plan& plan) {
  const Key key = key_of(pod);
  const Stay stay = stay_of(pod, taints);
  const auto known = evictions_.find(key);
  if (known != evictions_.end() && !known->second.done && known->second.due <= now)
    return;  // about to go anyway
  if (!stay.tolerated) {
    cancel(key, pod, plan);
    evictions_.try_emplace(key, Eviction{now, now});
    return;
  }
  if (!stay.limit) {
    cancel(key, pod, plan);
    return;
  }
  // A clock that runs goes on running, whatever taints come on top.
  if (known != evictions_.end() && !known->second.done) {
    if (known->second.since < now) return;
    cancel(key, pod, plan);
  }
  evictions_.try_emplace(key, Eviction{now, now + *stay.limit});
}

void TaintEvictionController::cancel(const Key& key, const Value& pod, Plan& plan) {
  const auto known = evictions_.find(key);
  if (known == evictions_.end()) return;
  const bool pending = !known->second.done;
  evictions_.erase(known);
  if (!pending) return;
  Value regarding = pod;
  if (regarding.is_null())
    regarding = Value::object(
        {{"apiVersion", "v1"},
         {"kind", "Pod"},
         {"metadata", Value::object({{"namespace", key.namespace_}, {"name", key.name}})}});
  plan.events.push_back(
      {.regarding = regarding,
       .reason = "TaintManagerEviction",
       .message = "Cancelling deletion of Pod " + key.namespace_ + "/" + key.name});
}

}  // namespace keelson::control
