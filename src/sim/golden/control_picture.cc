// See control_picture.h.
#include "sim/golden/control_picture.h"

#include <algorithm>

#include "codec/json.h"
#include "model/meta.h"

namespace keelson::sim::golden {
namespace {

std::string key_of(const char* kind, const Value& object) {
  const std::string ns(model::namespace_of(object));
  return std::string(kind) + "/" + (ns.empty() || ns == "default" ? "" : ns + "/") +
         std::string(model::name_of(object));
}

Value sorted(std::vector<Value> list) {
  std::sort(list.begin(), list.end(),
            [](const Value& a, const Value& b) { return codec::to_json(a) < codec::to_json(b); });
  Value all = Value::array();
  for (Value& one : list) all.push_back(std::move(one));
  return all.empty() ? Value() : all;
}

// Whatever is neither absent nor empty.
void put(Value& to, const char* key, const Value& value) {
  if (!value.is_null() && !(value.is_string() && value.as_string().empty())) to.set(key, value);
}

Value names_in(const Value& list) {
  Value names = Value::array();
  for (const Value& one : list.elements()) names.push_back(one["name"]);
  return names.empty() ? Value() : names;
}

Value endpoint(const Value& object) {
  Value picture = Value::object({{"addresses", object["addresses"]}});
  for (const char* condition : {"ready", "serving", "terminating"})
    put(picture, condition, object["conditions"][condition]);
  if (object["targetRef"].is_object())
    picture.set("target",
                object["targetRef"]["kind"].str() + "/" + object["targetRef"]["name"].str());
  put(picture, "node", object["nodeName"]);
  put(picture, "zone", object["zone"]);
  put(picture, "hostname", object["hostname"]);
  put(picture, "forZones", names_in(object["hints"]["forZones"]));
  put(picture, "forNodes", names_in(object["hints"]["forNodes"]));
  return picture;
}

}  // namespace

Value ControlPicture::seconds(const Value& time) const {
  const Instant at = model::time_of(time);
  if (at.is_zero()) return {};
  const std::int64_t milliseconds = (at - start_).count_milliseconds();
  if (milliseconds % 1000 == 0) return milliseconds / 1000;
  return static_cast<double>(milliseconds) / 1000;
}

void ControlPicture::event(const cluster::EventNote& event) {
  // The recorder of the recordings did not hear the events of hints.
  if (event.reason.starts_with("TopologyAwareHints")) return;
  events_.push_back(std::string(model::kind_of(event.regarding)) + "/" +
                    std::string(model::name_of(event.regarding)) + (event.warning ? " W " : " N ") +
                    event.reason + ": " + event.message);
}

Value ControlPicture::node(const Value& object) const {
  Value picture = Value::object();
  std::vector<Value> taints;
  for (const Value& taint : object["spec"]["taints"].elements()) {
    std::string text = taint["key"].str();
    if (!taint["value"].as_string().empty()) text += "=" + taint["value"].str();
    text += ":" + taint["effect"].str();
    if (const Value added = seconds(taint["timeAdded"]); !added.is_null())
      text += " @" + std::to_string(added.as_int());
    taints.emplace_back(text);
  }
  put(picture, "taints", sorted(std::move(taints)));
  for (const Value& condition : object["status"]["conditions"].elements()) {
    std::string text = condition["status"].str() + " " + condition["reason"].str() + " @" +
                       std::to_string(seconds(condition["lastTransitionTime"]).as_int());
    if (!condition["message"].as_string().empty()) text += " " + condition["message"].str();
    picture.set(condition["type"].as_string(), text);
  }
  return picture;
}

Value ControlPicture::pod(const Value& object) const {
  const Value& meta = object["metadata"];
  Value picture = Value::object();
  put(picture, "phase", object["status"]["phase"]);
  put(picture, "reason", object["status"]["reason"]);
  put(picture, "node", object["spec"]["nodeName"]);
  if (model::pod_is_ready(object)) picture.set("ready", true);
  for (const Value& finalizer : meta["finalizers"].elements()) {
    if (finalizer.as_string() == "batch.kubernetes.io/job-tracking")
      picture.set("tracked", true);
    else
      picture.set("otherFinalizer", finalizer);
  }
  const Value& notes = model::annotations_of(object);
  put(picture, "index", notes["batch.kubernetes.io/job-completion-index"]);
  put(picture, "indexFailureCount", notes["batch.kubernetes.io/job-index-failure-count"]);
  put(picture, "indexIgnoredFailureCount",
      notes["batch.kubernetes.io/job-index-ignored-failure-count"]);
  std::int64_t restarts = 0;
  for (const Value& container : object["status"]["containerStatuses"].elements())
    restarts += container["restartCount"].as_int();
  if (restarts > 0) picture.set("restarts", restarts);
  put(picture, "deletionTimestamp", seconds(meta["deletionTimestamp"]));
  put(picture, "grace", meta["deletionGracePeriodSeconds"]);
  if (const Value& target = model::condition_of(object, "DisruptionTarget"); !target.is_null())
    picture.set("DisruptionTarget", target["status"].str() + " " + target["reason"].str() + " " +
                                        target["message"].str());
  return picture;
}

Value ControlPicture::slice(const Value& object) const {
  Value picture = Value::object({{"addressType", object["addressType"]}});
  std::vector<Value> ports, endpoints;
  for (const Value& port : object["ports"].elements()) {
    std::string text = port["name"].str() + ":" + std::to_string(port["port"].as_int()) + "/" +
                       port["protocol"].str();
    if (!port["appProtocol"].as_string().empty()) text += " " + port["appProtocol"].str();
    ports.emplace_back(text);
  }
  for (const Value& one : object["endpoints"].elements()) endpoints.push_back(endpoint(one));
  picture.set("ports", sorted(std::move(ports)));
  picture.set("endpoints", sorted(std::move(endpoints)));
  Value labels = Value::object();
  for (const codec::Member& m : model::labels_of(object).members())
    if (m.key() != "kubernetes.io/service-name" &&
        m.key() != "endpointslice.kubernetes.io/managed-by")
      labels.set(m.key(), m.value);
  if (!labels.empty()) picture.set("labels", labels);
  put(picture, "triggerTime",
      seconds(model::annotations_of(object)["endpoints.kubernetes.io/last-change-trigger-time"]));
  return picture;
}

Value ControlPicture::conditions(const Value& list, bool with_generation) const {
  Value all = Value::array();
  for (const Value& condition : list.elements()) {
    Value one = Value::object({{"at", seconds(condition["lastTransitionTime"])}});
    if (with_generation) one.set("observedGeneration", condition["observedGeneration"].as_int());
    for (const char* key : {"type", "status", "reason", "message"}) put(one, key, condition[key]);
    all.push_back(std::move(one));
  }
  return all.empty() ? Value() : all;
}

Value ControlPicture::job(const Value& object) const {
  const Value &status = object["status"], &meta = object["metadata"];
  Value picture = Value::object();
  for (const char* count : {"active", "succeeded", "failed"})
    if (status[count].as_int() != 0) picture.set(count, status[count]);
  for (const char* kept : {"ready", "terminating", "failedIndexes"})
    if (!status[kept].is_null()) picture.set(kept, status[kept]);
  put(picture, "completedIndexes", status["completedIndexes"]);
  for (const char* time : {"startTime", "completionTime"})
    put(picture, time, seconds(status[time]));
  const Value& uncounted = status["uncountedTerminatedPods"];
  if (const auto count = uncounted["succeeded"].size() + uncounted["failed"].size(); count > 0)
    picture.set("uncounted", count);
  put(picture, "conditions", conditions(status["conditions"], false));
  put(picture, "scheduledFor",
      model::annotations_of(object)["batch.kubernetes.io/cronjob-scheduled-timestamp"]);
  if (!meta["finalizers"].empty()) picture.set("finalizers", meta["finalizers"]);
  put(picture, "deletedAt", seconds(meta["deletionTimestamp"]));
  return picture;
}

Value ControlPicture::cron_job(const Value& object) const {
  const Value& status = object["status"];
  Value picture = Value::object();
  put(picture, "active", names_in(status["active"]));
  for (const char* time : {"lastScheduleTime", "lastSuccessfulTime"})
    put(picture, time, seconds(status[time]));
  return picture;
}

Value ControlPicture::budget(const Value& object) const {
  Value picture = object["status"];
  if (!picture.is_object()) return Value::object();
  if (const Value list = conditions(picture["conditions"], true); !list.is_null())
    picture.set("conditions", list);
  if (const Value& disrupted = object["status"]["disruptedPods"]; disrupted.is_object()) {
    Value times = Value::object();
    for (const codec::Member& m : disrupted.members()) times.set(m.key(), seconds(m.value));
    picture.set("disruptedPods", times);
  }
  return picture;
}

std::map<std::string, Value> ControlPicture::watched() const {
  std::map<std::string, Value> all;
  if (runs("nodelifecycle"))
    for (const Value& object : world_.list("nodes", {})) all[key_of("Node", object)] = node(object);
  if (runs("nodelifecycle") || (runs("job") && !runs("cronjob")))
    for (const Value& object : world_.list("pods", {})) all[key_of("Pod", object)] = pod(object);
  if (runs("job") || runs("cronjob"))
    for (const Value& object : world_.list("jobs.batch", {}))
      all[key_of("Job", object)] = job(object);
  if (runs("cronjob"))
    for (const Value& object : world_.list("cronjobs.batch", {}))
      all[key_of("CronJob", object)] = cron_job(object);
  if (runs("disruption"))
    for (const Value& object : world_.list("poddisruptionbudgets.policy", {}))
      all[key_of("PodDisruptionBudget", object)] = budget(object);
  if (runs("resourcequota"))
    for (const Value& object : world_.list("resourcequotas", {}))
      all[key_of("ResourceQuota", object)] =
          Value::object({{"hard", object["status"]["hard"]}, {"used", object["status"]["used"]}});
  if (!runs("endpointslice")) return all;
  std::map<std::string, std::vector<Value>> slices;
  for (const Value& object : world_.list("endpointslices.discovery.k8s.io", {}))
    slices["EndpointSlices/" + std::string(model::label_of(object, "kubernetes.io/service-name"))]
        .push_back(slice(object));
  for (auto& [key, list] : slices) all[key] = sorted(std::move(list));
  return all;
}

Value ControlPicture::take() {
  std::map<std::string, Value> now = watched();
  Value entry = Value::object();
  for (const auto& [key, value] : now)
    if (const auto before = before_.find(key);
        before == before_.end() || !(before->second == value))
      entry.set(key, value);
  for (const auto& [key, value] : before_)
    if (!now.contains(key)) entry.set(key, Value());
  before_ = std::move(now);
  if (!events_.empty()) {
    std::vector<Value> events;
    for (const std::string& event : std::exchange(events_, {})) events.emplace_back(event);
    entry.set("events", sorted(std::move(events)));
  }
  return entry.empty() ? Value() : entry;
}

}  // namespace keelson::sim::golden
