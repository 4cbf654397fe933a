// See picture.h.
#include "sim/golden/picture.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "model/meta.h"

namespace keelson::sim::golden {
namespace {

constexpr std::string_view kDeploymentPrefix = "deployment.kubernetes.io/";

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

Value count_of(const Value& status, std::string_view field) {
  return status[field].as_int();
}

Value annotations_of(const Value& object) {
  Value all = Value::object();
  for (const codec::Member& m : model::annotations_of(object).members()) {
    std::string_view key = m.key();
    if (key.starts_with(kDeploymentPrefix)) key.remove_prefix(kDeploymentPrefix.size());
    all.set(key, m.value);
  }
  return all;
}

}  // namespace

void Picture::made(const Change& change, bool by_hand) {
  if (!change.before.is_null()) return;
  const std::string name(model::name_of(change.after));
  if (change.resource == "replicasets.apps") {
    replica_sets_[name] = by_hand ? name : "rs" + std::to_string(++replica_sets_made_);
  } else if (change.resource == "controllerrevisions.apps") {
    revisions_[name] = by_hand ? name : "cr" + std::to_string(++revisions_made_);
  } else if (change.resource == "pods") {
    kubelet_.pod_made(change.after);
    kubelet_.place_of(change.after).short_name = pod_name(change.after);
    const bool is_named = model::controller_of(change.after)["kind"].as_string() == "StatefulSet";
    if (change.after["metadata"].has("generateName") && !is_named) generated_.insert(name);
  }
}

void Picture::refused(const cluster::Write& creation, const std::string& message) {
  if (creation.resource == "replicasets.apps")
    replica_sets_.try_emplace(creation.name, "rs" + std::to_string(replica_sets_made_ + 1));
  if (creation.resource == "controllerrevisions.apps")
    revisions_.try_emplace(creation.name, "cr" + std::to_string(revisions_made_ + 1));
  if (!creation.name.empty()) return;
  const std::size_t from = message.find('"'), to = message.find('"', from + 1);
  if (to != std::string::npos) generated_.insert(message.substr(from + 1, to - from - 1));
}

std::string Picture::short_name(std::string_view resource, std::string_view name) const {
  const auto& names = resource == "replicasets.apps" ? replica_sets_ : revisions_;
  const auto at = names.find(name);
  return at == names.end() ? std::string(name) : at->second;
}

// Pod names first: they contain those of ReplicaSets.
std::string Picture::text(std::string message) const {
  for (auto at = generated_.rbegin(); at != generated_.rend(); ++at)
    replace_all(message, *at, "<pod>");
  for (const auto* names : {&replica_sets_, &revisions_})
    for (auto at = names->rbegin(); at != names->rend(); ++at)
      if (at->first != at->second) replace_all(message, at->first, "<" + at->second + ">");
  return message;
}

std::string Picture::subject(const Value& object) const {
  return std::string(model::kind_of(object)) + "/" + text(std::string(model::name_of(object)));
}

void Picture::event(const cluster::EventNote& event) {
  events_.push_back({subject(event.regarding), event.warning ? "Warning" : "Normal", event.reason,
                     text(event.message)});
}

Value Picture::events() {
  std::sort(events_.begin(), events_.end());
  Value list = Value::array();
  for (std::size_t i = 0; i < events_.size();) {
    std::size_t same = i;
    while (same < events_.size() && events_[same] == events_[i]) ++same;
    Value one = Value::array();
    for (const std::string& part : events_[i]) one.push_back(part);
    if (same - i > 1) one.push_back(same - i);
    list.push_back(std::move(one));
    i = same;
  }
  events_.clear();
  return list;
}

std::string Picture::pod_name(const Value& pod) const {
  const PodPlace& place = kubelet_.place_of(pod);
  const std::string index = "." + std::to_string(place.index);
  if (place.owner_kind == "ReplicaSet")
    return short_name("replicasets.apps", place.owner_name) + index;
  if (place.owner_kind == "DaemonSet") return place.daemon_node + index;
  return std::string(model::name_of(pod));
}

std::string Picture::pod_state(const Value& pod) const {
  const Value& owner = model::controller_of(pod);
  const std::string_view kind = owner["kind"].as_string();
  std::string state = "none";
  if (kind == "ReplicaSet") {
    state = short_name("replicasets.apps", owner["name"].as_string());
  } else if (kind == "StatefulSet" || kind == "DaemonSet") {
    const std::string hash(model::label_of(pod, "controller-revision-hash"));
    state = hash.empty() ? owner["name"].str() : hash;
    for (const auto& [name, short_one] : revisions_)
      if (name == hash || name == owner["name"].str() + "-" + hash) state = short_one;
  }
  state += " " + pod["status"]["phase"].str();
  if (model::pod_is_ready(pod)) state += " ready";
  if (pod["spec"]["nodeName"].as_string().empty()) state += " unbound";
  if (model::is_deleting(pod)) state += " terminating";
  return state;
}

Value Picture::seconds(const Value& time) const {
  const Instant at = model::time_of(time);
  return at.is_zero() ? Value() : Value((at - start_).count_seconds());
}

Value Picture::conditions(const Value& object, bool with_update) const {
  Value list = Value::array();
  for (const Value& condition : object["status"]["conditions"].elements()) {
    Value one = Value::array({condition["type"], condition["status"], condition["reason"],
                              text(condition["message"].str())});
    if (with_update) one.push_back(seconds(condition["lastUpdateTime"]));
    one.push_back(seconds(condition["lastTransitionTime"]));
    list.push_back(std::move(one));
  }
  return list;
}

Value Picture::deployment(const Value& object) const {
  const Value& status = object["status"];
  Value picture = Value::object({{"specReplicas", object["spec"]["replicas"]},
                                 {"generation", model::generation_of(object)},
                                 {"observedGeneration", count_of(status, "observedGeneration")},
                                 {"replicas", count_of(status, "replicas")},
                                 {"updated", count_of(status, "updatedReplicas")},
                                 {"ready", count_of(status, "readyReplicas")},
                                 {"available", count_of(status, "availableReplicas")},
                                 {"unavailable", count_of(status, "unavailableReplicas")}});
  if (status.has("terminatingReplicas"))
    picture.set("terminating", count_of(status, "terminatingReplicas"));
  if (status.has("collisionCount")) picture.set("collisionCount", status["collisionCount"]);
  if (const Value all = annotations_of(object); !all.empty()) picture.set("annotations", all);
  if (const Value all = conditions(object, true); !all.empty()) picture.set("conditions", all);
  return picture;
}

Value Picture::replica_set(const Value& object) const {
  const Value& status = object["status"];
  Value picture = Value::object({{"specReplicas", object["spec"]["replicas"]},
                                 {"generation", model::generation_of(object)},
                                 {"observedGeneration", count_of(status, "observedGeneration")},
                                 {"replicas", count_of(status, "replicas")},
                                 {"fullyLabeled", count_of(status, "fullyLabeledReplicas")},
                                 {"ready", count_of(status, "readyReplicas")},
                                 {"available", count_of(status, "availableReplicas")}});
  if (status.has("terminatingReplicas"))
    picture.set("terminating", count_of(status, "terminatingReplicas"));
  if (const auto min_ready = object["spec"]["minReadySeconds"].as_int(); min_ready != 0)
    picture.set("minReadySeconds", min_ready);
  if (const Value& owner = model::controller_of(object); !owner.is_null())
    picture.set("owner", owner["name"]);
  if (const Value all = annotations_of(object); !all.empty()) picture.set("annotations", all);
  if (const Value all = conditions(object, false); !all.empty()) picture.set("conditions", all);
  return picture;
}

Value Picture::stateful_set(const Value& object) const {
  const Value& status = object["status"];
  Value picture = Value::object({{"specReplicas", object["spec"]["replicas"]},
                                 {"generation", model::generation_of(object)},
                                 {"observedGeneration", count_of(status, "observedGeneration")},
                                 {"replicas", count_of(status, "replicas")},
                                 {"ready", count_of(status, "readyReplicas")},
                                 {"available", count_of(status, "availableReplicas")},
                                 {"current", count_of(status, "currentReplicas")},
                                 {"updated", count_of(status, "updatedReplicas")}});
  for (const char* field : {"currentRevision", "updateRevision"})
    if (status.has(field))
      picture.set(field, short_name("controllerrevisions.apps", status[field].as_string()));
  if (status.has("collisionCount")) picture.set("collisionCount", status["collisionCount"]);
  return picture;
}

Value Picture::daemon_set(const Value& object) const {
  const Value& status = object["status"];
  Value picture =
      Value::object({{"generation", model::generation_of(object)},
                     {"observedGeneration", count_of(status, "observedGeneration")},
                     {"desired", count_of(status, "desiredNumberScheduled")},
                     {"current", count_of(status, "currentNumberScheduled")},
                     {"misscheduled", count_of(status, "numberMisscheduled")},
                     {"updated", count_of(status, "updatedNumberScheduled")},
                     {"ready", count_of(status, "numberReady")},
                     {"available", count_of(status, "numberAvailable")},
                     {"unavailable", count_of(status, "numberUnavailable")},
                     {"templateGeneration",
                      model::annotations_of(object)["deprecated.daemonset.template.generation"]}});
  if (status.has("collisionCount")) picture.set("collisionCount", status["collisionCount"]);
  return picture;
}

Value Picture::revision(const Value& object) const {
  Value picture = Value::object({{"revision", object["revision"]}});
  if (const Value& owner = model::controller_of(object); !owner.is_null())
    picture.set("owner", owner["name"]);
  return picture;
}

Value Picture::claim(const Value& object) const {
  Value picture = Value::object();
  Value owners = Value::array();
  for (const Value& owner : object["metadata"]["ownerReferences"].elements())
    owners.push_back(owner["kind"].str() + "/" + owner["name"].str() +
                     (owner["controller"].as_bool() ? " controller" : ""));
  if (!owners.empty()) picture.set("owners", owners);
  if (model::is_deleting(object)) picture.set("terminating", true);
  return picture;
}

Value Picture::workloads(std::string_view resource,
                         Value (Picture::*picture)(const Value&) const) const {
  Value all = Value::object();
  for (const Value& object : world_.list(resource, {}))
    all.set(short_name(resource, model::name_of(object)), (this->*picture)(object));
  return all;
}

Value Picture::take(Instant t) {
  Value state = Value::object();
  const auto add = [&](std::string_view key, Value value) {
    if (!value.empty()) state.set(key, std::move(value));
  };
  add("deployments", workloads("deployments.apps", &Picture::deployment));
  add("replicaSets", workloads("replicasets.apps", &Picture::replica_set));
  add("statefulSets", workloads("statefulsets.apps", &Picture::stateful_set));
  add("daemonSets", workloads("daemonsets.apps", &Picture::daemon_set));
  add("controllerRevisions", workloads("controllerrevisions.apps", &Picture::revision));
  add("claims", workloads("persistentvolumeclaims", &Picture::claim));
  Value counts = Value::object(), pods = Value::object();
  for (const Value& pod : world_.list("pods", {})) {
    std::string pod_text = pod_state(pod);
    counts.set(pod_text, counts[pod_text].as_int() + 1);
    if (several_nodes_ && !pod["spec"]["nodeName"].as_string().empty())
      pod_text += " " + pod["spec"]["nodeName"].str();
    pods.set(kubelet_.place_of(pod).short_name, pod_text);
  }
  state.set("podCounts", counts);
  state.set("pods", pods);
  add("events", events());
  const std::int64_t tenths = (t - start_).count_milliseconds() / 100;
  state.set("t", static_cast<double>(tenths) / 10);
  return state;
}

std::string Picture::real_name(std::string_view kind, const std::string& name) const {
  if (kind == "Pod") {
    for (const Value& pod : world_.list("pods", {}))
      if (kubelet_.place_of(pod).short_name == name) return std::string(model::name_of(pod));
    return name;
  }
  const auto& names = kind == "ReplicaSet" ? replica_sets_ : revisions_;
  const std::string_view resource = resource_of_kind(kind);
  for (const auto& [real, short_one] : names)
    if (short_one == name && !world_.get(resource, "default", real).is_null()) return real;
  return name;
}

}  // namespace keelson::sim::golden
