// See kubelet.h.
#include "sim/golden/kubelet.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "model/meta.h"

namespace keelson::sim::golden {
namespace {

std::optional<Duration> delay_of(const Value& value) {
  if (value.is_string()) return std::nullopt;  // "never"
  return Duration::nanoseconds(static_cast<std::int64_t>(value.as_double() * 1e9));
}

// The node that a DaemonSet made the pod for: the one its affinity names.
std::string daemon_node_of(const Value& pod) {
  const Value& terms =
      pod.at("spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution")
          ["nodeSelectorTerms"];
  for (const Value& term : terms.elements())
    for (const Value& field : term["matchFields"].elements())
      if (field["key"].as_string() == "metadata.name") return field["values"][0].str();
  return {};
}

bool is_bound(const Value& pod) {
  return !pod["spec"]["nodeName"].as_string().empty();
}

}  // namespace

void set_ready(Value& pod, bool ready, Instant now) {
  const Value condition = Value::object({{"type", "Ready"},
                                         {"status", ready ? "True" : "False"},
                                         {"lastTransitionTime", to_rfc3339(now)}});
  Value& conditions = pod.edit("status").edit("conditions");
  if (conditions.is_null()) conditions = Value::array();
  for (std::size_t i = 0; i < conditions.size(); ++i)
    if (conditions[i]["type"].as_string() == "Ready") {
      if (conditions[i]["status"] != condition["status"]) conditions.edit(i) = condition;
      return;
    }
  conditions.push_back(condition);
}

void Kubelet::pod_made(const Value& pod) {
  PodPlace place;
  place.made = static_cast<std::int64_t>(places_.size());
  const Value& owner = model::controller_of(pod);
  place.owner_name = owner["name"].str();
  place.owner_kind = owner["kind"].str();
  place.daemon_node = daemon_node_of(pod);
  const std::string name(model::name_of(pod));
  if (place.owner_kind == "StatefulSet") {
    const auto ordinal = parse_int(name.substr(name.rfind('-') + 1));
    place.index = ordinal.value_or(0);
  } else {
    const std::string group =
        place.owner_kind == "DaemonSet" ? "node " + place.daemon_node : "owner " + place.owner_name;
    place.index = counts_[group]++;
  }
  places_[std::string(model::uid_of(pod))] = std::move(place);
}

const PodPlace& Kubelet::place_of(const Value& pod) const {
  const auto at = places_.find(model::uid_of(pod));
  KEELSON_CHECK(at != places_.end());
  return at->second;
}

PodPlace& Kubelet::place_of(const Value& pod) {
  const auto at = places_.find(model::uid_of(pod));
  KEELSON_CHECK(at != places_.end());
  return at->second;
}

bool Kubelet::applies(const Value& rule, const Value& pod, const PodPlace& place) const {
  const auto differs = [&](const char* key, const Value& actual) {
    return rule.has(key) && rule[key] != actual;
  };
  if (differs("image", pod["spec"]["containers"][0]["image"])) return false;
  if (differs("index", place.index)) return false;
  if (rule.has("indexFrom") && place.index < rule["indexFrom"].as_int()) return false;
  const std::string node = is_bound(pod) ? pod["spec"]["nodeName"].str() : place.daemon_node;
  if (differs("node", node)) return false;
  return !rule.has("pod") || rule["pod"].as_string() == place.short_name ||
         rule["pod"].as_string() == model::name_of(pod);
}

Kubelet::Delays Kubelet::delays_of(const Value& pod) const {
  Delays delays{Duration(), std::nullopt, Duration::seconds(2), std::nullopt, Duration::seconds(1)};
  bool run_is_set = false;
  const PodPlace& place = place_of(pod);
  for (const Value& rule : rules_) {
    if (!applies(rule, pod, place)) continue;
    if (rule.has("bindAfter")) delays.bind = delay_of(rule["bindAfter"]);
    if (rule.has("readyAfter")) delays.ready = delay_of(rule["readyAfter"]);
    if (rule.has("failAfter")) delays.fail = delay_of(rule["failAfter"]);
    if (rule.has("deleteAfter")) delays.remove = delay_of(rule["deleteAfter"]);
    if (rule.has("runAfter")) {
      delays.run = delay_of(rule["runAfter"]);
      run_is_set = true;
    }
  }
  if (!run_is_set) delays.run = delays.ready;
  return delays;
}

std::optional<Instant> Kubelet::bind_at(const Value& pod) const {
  if (is_bound(pod) || model::is_deleting(pod) || model::pod_is_finished(pod)) return std::nullopt;
  const PodPlace& place = place_of(pod);
  if (!place.daemon_node.empty() && world_.get("nodes", "", place.daemon_node).is_null())
    return std::nullopt;
  const auto delay = delays_of(pod).bind;
  return delay ? std::optional(model::creation_time_of(pod) + *delay) : std::nullopt;
}

// The one step that the pod takes next, by its delays and what it has taken already.
Kubelet::Next Kubelet::next_of(const Value& pod) const {
  const Delays delays = delays_of(pod);
  if (model::is_deleting(pod)) {
    if (!delays.remove) return {};
    const Instant asked =
        model::time_of(pod["metadata"]["deletionTimestamp"]) - Duration::seconds(30);
    return {Step::remove, asked + *delays.remove};
  }
  if (!is_bound(pod) || model::pod_is_finished(pod)) return {};
  const Instant made = model::creation_time_of(pod);
  Next next;
  const auto consider = [&](Step step, const std::optional<Duration>& delay) {
    if (delay && (next.step == Step::none || made + *delay < next.at)) next = {step, made + *delay};
  };
  consider(Step::fail, delays.fail);
  if (pod["status"]["phase"].as_string() == "Pending") consider(Step::run, delays.run);
  if (!model::pod_is_ready(pod) && !held_.contains(std::string(model::uid_of(pod))))
    consider(Step::ready, delays.ready);
  return next;
}

std::optional<Instant> Kubelet::next_due() const {
  std::optional<Instant> due;
  const auto consider = [&](Instant at) { due = due ? std::min(*due, at) : at; };
  for (const Value& pod : world_.list("pods", {})) {
    if (const Next next = next_of(pod); next.step != Step::none) consider(next.at);
    if (const auto bind = bind_at(pod)) consider(*bind);
  }
  return due;
}

void Kubelet::take(const Value& pod, Step step) {
  if (step == Step::remove) {
    world_.erase("pods", pod);
    return;
  }
  Value changed = pod;
  Value& status = changed.edit("status");
  if (step == Step::fail) status.set("phase", "Failed");
  if (step == Step::run || step == Step::ready) status.set("phase", "Running");
  set_ready(changed, step == Step::ready, world_.now());
  world_.put("pods", std::move(changed));
}

bool Kubelet::advance() {
  bool changed = false;
  for (const Value& listed : world_.list("pods", {}))
    for (Value pod = listed; !pod.is_null();) {
      const Next next = next_of(pod);
      if (next.step == Step::none || next.at > world_.now()) break;
      take(pod, next.step);
      changed = true;
      pod = world_.get("pods", model::namespace_of(pod), model::name_of(pod));
    }
  return changed;
}

bool Kubelet::bind() {
  bool bound = false;
  for (Value& pod : world_.list("pods", {})) {
    const auto at = bind_at(pod);
    if (!at || *at > world_.now()) continue;
    const PodPlace& place = place_of(pod);
    pod.edit("spec").set("nodeName", place.daemon_node.empty()
                                         ? "n" + std::to_string(place.made % nodes_ + 1)
                                         : place.daemon_node);
    world_.put("pods", pod);
    bound = true;
  }
  return bound;
}

void Kubelet::hold_ready(const Value& pod, bool ready) {
  held_[std::string(model::uid_of(pod))] = ready;
  Value changed = pod;
  if (ready) changed.edit("status").set("phase", "Running");
  set_ready(changed, ready, world_.now());
  world_.put("pods", std::move(changed));
}

void Kubelet::finish(const Value& pod, std::string_view phase) {
  Value changed = pod;
  changed.edit("status").set("phase", phase);
  set_ready(changed, false, world_.now());
  world_.put("pods", std::move(changed));
}

}  // namespace keelson::sim::golden
