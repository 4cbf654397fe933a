#include "control/nodelifecycle/nodelifecycle.h"

#include <algorithm>

#include "model/meta.h"

namespace keelson::control {
namespace {

using cluster::Key;
using cluster::Plan;
using cluster::Write;
using codec::Value;

// Keys besides those of nodes ("", NAME) and pods (NAMESPACE, NAME); "/" is in no object's name.
const Key kMonitor{"", "/monitor"}, kTaints{"", "/taints"};

constexpr std::string_view kUnreachable = "node.kubernetes.io/unreachable";
constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
constexpr std::string_view kUnschedulable = "node.kubernetes.io/unschedulable";

struct ConditionTaint {
  std::string_view condition, status, key;
};
constexpr ConditionTaint kConditionTaints[] = {
    {"Ready", "False", kNotReady},
    {"Ready", "Unknown", kUnreachable},
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure"}};

// Region and zone; nodes without either are a zone of their own.
std::string zone_key(const Value& node) {
  const std::string_view zone = model::label_of(node, "topology.kubernetes.io/zone");
  const std::string_view region = model::label_of(node, "topology.kubernetes.io/region");
  if (zone.empty() && region.empty()) return {};
  return std::string(region) + ":\x01:" + std::string(zone);
}

bool has_taint(const Value& taints, std::string_view key, std::string_view effect) {
  return std::any_of(taints.elements().begin(), taints.elements().end(), [&](const Value& taint) {
    return taint["key"].as_string() == key && taint["effect"].as_string() == effect;
  });
}
void drop_taint(Value& taints, std::string_view key, std::string_view effect) {
  for (std::size_t i = taints.size(); i > 0; --i)
    if (taints[i - 1]["key"].as_string() == key && taints[i - 1]["effect"].as_string() == effect)
      taints.erase(i - 1);
}
void put_taint(Value& taints, std::string_view key, std::string_view effect, Instant now) {
  drop_taint(taints, key, effect);
  taints.push_back(
      Value::object({{"key", key}, {"effect", effect}, {"timeAdded", to_rfc3339(now)}}));
}

Write status_patch(std::string_view resource, const Value& object, Value conditions) {
  return {
      .verb = Write::Verb::merge_patch,
      .resource = std::string(resource),
      .namespace_ = std::string(model::namespace_of(object)),
      .name = std::string(model::name_of(object)),
      .subresource = "status",
      .object = Value::object({{"status", Value::object({{"conditions", std::move(conditions)}})}}),
      .uid = std::string(model::uid_of(object))};
}

cluster::EventNote node_event(const Value& node, const std::string& reason,
                              const std::string& message) {
  return {.regarding = node, .warning = false, .reason = reason, .message = message};
}

// Ready becomes False; the pods' own status is the kubelet's again once it is back.
void mark_pod_not_ready(const Value& pod, Instant now, Plan& plan) {
  Value conditions = pod["status"]["conditions"];
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    if (conditions[i]["type"].as_string() != "Ready" ||
        conditions[i]["status"].as_string() == "False")
      continue;
    conditions.edit(i).set("status", "False");
    conditions.edit(i).set("lastTransitionTime", to_rfc3339(now));
    plan.writes.push_back(status_patch("pods", pod, conditions));
    plan.events.push_back({.regarding = pod,
                           .warning = true,
                           .reason = "NodeNotReady",
                           .message = "Node is not ready"});
    return;
  }
}

void mark_pods_not_ready(const cluster::View& view, std::string_view node, Instant now,
                         Plan& plan) {
  for (const Value& pod : view.list("pods"))
    if (pod["spec"]["nodeName"].as_string() == node) mark_pod_not_ready(pod, now, plan);
}

}  // namespace

std::vector<cluster::Watch> NodeLifecycleController::watches() const {
  return {{"nodes",
           [](const cluster::View&, const Value& before, const Value& after) {
             // Heartbeats are looked at every five seconds; a change of what taints follow from, at
             // once.
             if (after.is_null()) return std::vector<Key>{};
             const auto same = [&] {
               const Value &a = before["status"]["conditions"], &b = after["status"]["conditions"];
               if (a.size() != b.size()) return false;
               for (std::size_t i = 0; i < a.size(); ++i)
                 if (!(a[i]["type"] == b[i]["type"]) || !(a[i]["status"] == b[i]["status"]))
                   return false;
               return before["spec"] == after["spec"] &&
                      model::labels_of(before) == model::labels_of(after);
             };
             if (!before.is_null() && same()) return std::vector<Key>{};
             return std::vector<Key>{{"", std::string(model::name_of(after))}};
           }},
          {"pods", [](const cluster::View&, const Value& before, const Value& after) {
             // A pod that is bound to a node which is not ready.
             if (after.is_null() || after["spec"]["nodeName"].is_null() ||
                 (!before.is_null() && before["spec"]["nodeName"] == after["spec"]["nodeName"]))
               return std::vector<Key>{};
             return std::vector<Key>{
                 {std::string(model::namespace_of(after)), std::string(model::name_of(after))}};
           }}};
}

std::vector<Key> NodeLifecycleController::start(const cluster::View&) {
  return {kMonitor, kTaints};
}

Plan NodeLifecycleController::reconcile(const cluster::Sync& sync) {
  Pass pass{.plan = {}, .now = sync.now, .taints = {}};
  if (sync.key == kMonitor) {
    if (monitor_due_.is_zero()) monitor_due_ = sync.now;
    if (sync.now >= monitor_due_) {
      monitor(sync.view, pass);
      monitor_due_ = monitor_due_ + options_.monitor_period;
    }
    pass.plan.wake_at = monitor_due_;
  } else if (sync.key == kTaints) {
    if (taint_due_.is_zero()) taint_due_ = sync.now;
    if (sync.now >= taint_due_) {
      taint(sync.view, pass);
      taint_due_ = taint_due_ + options_.taint_period;
    }
    const bool waiting = std::any_of(zones_.begin(), zones_.end(),
                                     [](const auto& z) { return !z.second.queue.empty(); });
    // With empty queues the passes would do nothing; they keep their beat for when one fills again.
    if (!waiting) {
      const Instant next = std::max(monitor_due_, sync.now);
      while (taint_due_ <= next) taint_due_ = taint_due_ + options_.taint_period;
    }
    pass.plan.wake_at = taint_due_;
  } else if (sync.key.namespace_.empty()) {
    follow_conditions(sync.view, sync.key.name, pass);
  } else {
    follow_pod(sync.view, sync.key, pass);
  }
  for (const auto& [name, taints] : pass.taints)
    pass.plan.writes.push_back(
        {.verb = Write::Verb::merge_patch,
         .resource = "nodes",
         .namespace_ = {},
         .name = name,
         .object = Value::object(
             {{"spec", Value::object({{"taints", taints.empty() ? Value() : taints}})}})});
  return std::move(pass.plan);
}

NodeLifecycleController::Zone& NodeLifecycleController::zone_of(const Value& node) {
  return zones_
      .try_emplace(zone_key(node), Zone{ZoneState::initial, TaintQueue(options_.eviction_rate)})
      .first->second;
}

void NodeLifecycleController::meet_nodes(const std::vector<Value>& nodes, Pass& pass) {
  std::set<std::string> present;
  for (const Value& node : nodes) {
    const std::string name(model::name_of(node));
    present.insert(name);
    zone_of(node);
    if (!known_.try_emplace(name, node).second) continue;
    pass.plan.events.push_back(
        node_event(node, "RegisteredNode",
                   "Node " + name + " event: Registered Node " + name + " in Controller"));
    mark_reachable(node, pass);
  }
  for (auto at = known_.begin(); at != known_.end();) {
    if (present.contains(at->first)) {
      ++at;
      continue;
    }
    pass.plan.events.push_back(node_event(
        at->second, "RemovingNode",
        "Node " + at->first + " event: Removing Node " + at->first + " from Controller"));
    at = known_.erase(at);
  }
}

void NodeLifecycleController::monitor(const cluster::View& view, Pass& pass) {
  const std::vector<Value> nodes = view.list("nodes");
  meet_nodes(nodes, pass);
  std::map<std::string, std::vector<bool>> ready_by_zone;
  for (const Value& node : nodes) {
    const std::string name(model::name_of(node));
    const Judged judged = judge(view, node, pass.now);
    if (!judged.status.is_null())
      pass.plan.writes.push_back(status_patch("nodes", node, judged.status));
    if (!model::labels_of(node).has("node.kubernetes.io/exclude-disruption"))
      ready_by_zone[zone_key(node)].push_back(judged.after == "True");
    if (!judged.after) continue;
    evict_by_taint(node, *judged.after, pass);
    if (*judged.after != "True" && judged.before == "True") {
      pass.plan.events.push_back(
          node_event(node, "NodeNotReady", "Node " + name + " status is now: NodeNotReady"));
      mark_pods_not_ready(view, name, pass.now, pass.plan);
    }
  }
  weigh_zones(ready_by_zone, nodes, pass);
}

// Whether the node's heartbeats still come; its conditions become Unknown when they have not for
// longer than the grace.
NodeLifecycleController::Judged NodeLifecycleController::judge(const cluster::View& view,
                                                               const Value& node, Instant now) {
  const std::string name(model::name_of(node));
  const Value& ready = model::condition_of(node, "Ready");
  const Duration grace = ready.is_null() ? options_.startup_grace : options_.grace;
  auto [at, fresh] = health_.try_emplace(name);
  Health& health = at->second;
  if (ready.is_null()) {
    if (fresh)
      health.probed = model::creation_time_of(node);
    else if (!health.ready.is_null())
      health.probed = now;  // the condition was removed
  } else if (fresh || health.ready.is_null() ||
             !(health.ready["lastHeartbeatTime"] == ready["lastHeartbeatTime"])) {
    health.probed = now;
  }
  health.ready = ready;
  const Instant renewed = model::time_of(
      view.get("leases.coordination.k8s.io", "kube-node-lease", name)["spec"]["renewTime"]);
  if (!renewed.is_zero() && (health.renewed.is_zero() || health.renewed < renewed)) {
    health.renewed = renewed;
    health.probed = now;
  }

  Judged judged;
  judged.before = ready.is_null() ? std::string("Unknown") : ready["status"].str();
  if (!ready.is_null()) judged.after = ready["status"].str();
  if (now <= health.probed + grace) return judged;
  Value conditions =
      node["status"]["conditions"].is_array() ? node["status"]["conditions"] : Value::array();
  for (const char* type : {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}) {
    std::size_t i = 0;
    while (i < conditions.size() && conditions[i]["type"].as_string() != type) ++i;
    if (i == conditions.size()) {
      conditions.push_back(
          Value::object({{"type", type},
                         {"status", "Unknown"},
                         {"reason", "NodeStatusNeverUpdated"},
                         {"message", "Kubelet never posted node status."},
                         {"lastHeartbeatTime", node["metadata"]["creationTimestamp"]},
                         {"lastTransitionTime", to_rfc3339(now)}}));
    } else if (conditions[i]["status"].as_string() != "Unknown") {
      Value& condition = conditions.edit(i);
      condition.set("status", "Unknown");
      condition.set("reason", "NodeStatusUnknown");
      condition.set("message", "Kubelet stopped posting node status.");
      condition.set("lastTransitionTime", to_rfc3339(now));
    }
  }
  judged.after = "Unknown";
  if (ready.is_null() || ready["status"].as_string() != "Unknown") {
    judged.status = conditions;
    for (const Value& condition : conditions.elements())
      if (condition["type"].as_string() == "Ready") health.ready = condition;
  }
  return judged;
}

void NodeLifecycleController::evict_by_taint(const Value& node, const std::string& ready,
                                             Pass& pass) {
  if (ready == "True") return mark_reachable(node, pass);
  const std::string name(model::name_of(node));
  const std::string_view wanted = ready == "False" ? kNotReady : kUnreachable;
  const std::string_view other = ready == "False" ? kUnreachable : kNotReady;
  const Value& taints = node["spec"]["taints"];
  if (has_taint(taints, other, "NoExecute")) {
    // It had lost its pods already for the other reason; no need to wait again.
    Value changed = pass.taints.contains(name) ? pass.taints[name] : taints;
    put_taint(changed, wanted, "NoExecute", pass.now);
    drop_taint(changed, other, "NoExecute");
    pass.taints[name] = changed;
    return;
  }
  TaintQueue& queue = zone_of(node).queue;
  if (!has_taint(taints, wanted, "NoExecute")) queue.remove(name);
  queue.add(name, pass.now);
}

void NodeLifecycleController::mark_reachable(const Value& node, Pass& pass) {
  const std::string name(model::name_of(node));
  const Value& taints = node["spec"]["taints"];
  if (has_taint(taints, kUnreachable, "NoExecute") || has_taint(taints, kNotReady, "NoExecute")) {
    Value changed = pass.taints.contains(name) ? pass.taints[name] : taints;
    drop_taint(changed, kUnreachable, "NoExecute");
    drop_taint(changed, kNotReady, "NoExecute");
    pass.taints[name] = changed;
  }
  zone_of(node).queue.remove(name);
}

NodeLifecycleController::ZoneState NodeLifecycleController::state_of(
    const std::vector<bool>& ready) const {
  const auto good = static_cast<std::size_t>(std::count(ready.begin(), ready.end(), true));
  const std::size_t bad = ready.size() - good;
  if (good == 0 && bad > 0) return ZoneState::full;
  const auto share = static_cast<float>(bad) / static_cast<float>(ready.size());
  if (bad > 2 && share >= static_cast<float>(options_.unhealthy_share)) return ZoneState::partial;
  return ZoneState::normal;
}

void NodeLifecycleController::limit_zone(Zone& zone, std::size_t size, ZoneState state,
                                         Instant now) {
  if (state == ZoneState::partial)
    zone.queue.set_rate(static_cast<std::int64_t>(size) > options_.cluster_size_large
                            ? options_.eviction_rate_secondary
                            : 0,
                        now);
  else if (state != ZoneState::initial)
    zone.queue.set_rate(options_.eviction_rate, now);
  zone.state = state;
}

// If everything is lost, the fault is more likely ours: nobody is evicted until somebody is back.
void NodeLifecycleController::weigh_zones(
    const std::map<std::string, std::vector<bool>>& ready_by_zone, const std::vector<Value>& nodes,
    Pass& pass) {
  bool all_lost = true;
  for (const auto& [key, ready] : ready_by_zone) {
    all_lost = all_lost && state_of(ready) == ZoneState::full;
    zones_.try_emplace(key, Zone{ZoneState::initial, TaintQueue(options_.eviction_rate)});
  }
  bool all_were_lost = true;
  for (auto at = zones_.begin(); at != zones_.end();) {
    if (!ready_by_zone.contains(at->first)) {
      at = zones_.erase(at);
      continue;
    }
    all_were_lost = all_were_lost && at->second.state == ZoneState::full;
    ++at;
  }
  if (all_lost && all_were_lost) return;
  if (all_lost) {
    for (const Value& node : nodes) mark_reachable(node, pass);
    for (auto& [key, zone] : zones_) {
      zone.queue.set_rate(0, pass.now);
      zone.state = ZoneState::full;
    }
    return;
  }
  if (all_were_lost) {
    // Those that are still away get the whole grace anew.
    for (const Value& node : nodes) health_[std::string(model::name_of(node))].probed = pass.now;
  }
  for (auto& [key, zone] : zones_) {
    const auto& ready = ready_by_zone.at(key);
    const ZoneState state = state_of(ready);
    if (all_were_lost || state != zone.state) limit_zone(zone, ready.size(), state, pass.now);
  }
}

void NodeLifecycleController::taint(const cluster::View& view, Pass& pass) {
  for (auto& [key, zone] : zones_)
    zone.queue.run(pass.now, [&](const std::string& name) {
      const Value node = view.get("nodes", {}, name);
      if (node.is_null()) return true;
      const Value& ready = model::condition_of(node, "Ready");
      if (ready.is_null()) return false;
      const std::string_view status = ready["status"].as_string();
      if (status != "False" && status != "Unknown") return true;
      Value taints = node["spec"]["taints"].is_array() ? node["spec"]["taints"] : Value::array();
      put_taint(taints, status == "False" ? kNotReady : kUnreachable, "NoExecute", pass.now);
      drop_taint(taints, status == "False" ? kUnreachable : kNotReady, "NoExecute");
      pass.taints[name] = taints;
      return true;
    });
}

// NoSchedule taints as the conditions are, and the old names of two labels.
void NodeLifecycleController::follow_conditions(const cluster::View& view, const std::string& name,
                                                Pass& pass) {
  const Value node = view.get("nodes", {}, name);
  if (node.is_null()) return;
  std::vector<std::string_view> wanted;
  for (const Value& condition : node["status"]["conditions"].elements())
    for (const ConditionTaint& rule : kConditionTaints)
      if (condition["type"].as_string() == rule.condition &&
          condition["status"].as_string() == rule.status)
        wanted.push_back(rule.key);
  if (node["spec"]["unschedulable"].as_bool()) wanted.push_back(kUnschedulable);
  Value taints = node["spec"]["taints"].is_array() ? node["spec"]["taints"] : Value::array();
  const Value before = taints;
  for (const std::string_view key : wanted)
    if (!has_taint(taints, key, "NoSchedule")) put_taint(taints, key, "NoSchedule", pass.now);
  const auto is_wanted = [&](std::string_view key) {
    return std::find(wanted.begin(), wanted.end(), key) != wanted.end();
  };
  for (const ConditionTaint& rule : kConditionTaints)
    if (!is_wanted(rule.key)) drop_taint(taints, rule.key, "NoSchedule");
  if (!is_wanted(kUnschedulable)) drop_taint(taints, kUnschedulable, "NoSchedule");
  if (!(taints == before)) pass.taints[name] = taints;

  Value labels;
  for (const char* part : {"os", "arch"}) {
    const Value& value = model::labels_of(node)["kubernetes.io/" + std::string(part)];
    const std::string old = "beta.kubernetes.io/" + std::string(part);
    if (!value.is_null() && !(model::labels_of(node)[old] == value)) labels.set(old, value);
  }
  if (!labels.is_null())
    pass.plan.writes.push_back(
        {.verb = Write::Verb::merge_patch,
         .resource = "nodes",
         .namespace_ = {},
         .name = name,
         .object = Value::object({{"metadata", Value::object({{"labels", labels}})}})});
}

void NodeLifecycleController::follow_pod(const cluster::View& view, const Key& key, Pass& pass) {
  const Value pod = view.get("pods", key.namespace_, key.name);
  if (pod.is_null()) return;
  const auto health = health_.find(pod["spec"]["nodeName"].str());
  if (health == health_.end() || health->second.ready.is_null()) return;
  if (health->second.ready["status"].as_string() != "True")
    mark_pod_not_ready(pod, pass.now, pass.plan);
}

}  // namespace keelson::control
