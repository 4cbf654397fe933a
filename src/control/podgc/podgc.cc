#include "control/podgc/podgc.h"

#include <algorithm>
#include <set>

#include "model/conditions.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

using cluster::Plan;
using cluster::Write;
using codec::Value;

bool is_out_of_service(const Value& node) {
  for (const Value& taint : node["spec"]["taints"].elements())
    if (taint["key"].as_string() == "node.kubernetes.io/out-of-service")
      return !model::condition_is_true(node, "Ready");
  return false;
}

// Failed first, as no kubelet is there to say so; then gone at once.
void fail_and_remove(const Value& pod, const Value& condition, Plan& plan) {
  Write write{.verb = Write::Verb::merge_patch,
              .resource = "pods",
              .namespace_ = std::string(model::namespace_of(pod)),
              .name = std::string(model::name_of(pod)),
              .subresource = "status"};
  if (!model::pod_is_finished(pod)) {
    Value status = Value::object({{"phase", "Failed"}});
    if (!condition.is_null()) {
      status.set("conditions", pod["status"]["conditions"]);
      model::put_condition(status, condition);
    }
    write.object = Value::object({{"status", status}});
    plan.writes.push_back(write);
  }
  write.verb = Write::Verb::remove;
  write.subresource.clear();
  write.object = {};
  write.grace_seconds = 0;
  plan.writes.push_back(write);
}

bool goes_first(const Value& a, const Value& b) {
  const bool evicted_a = a["status"]["reason"].as_string() == "Evicted",
             evicted_b = b["status"]["reason"].as_string() == "Evicted";
  if (evicted_a != evicted_b) return evicted_a;
  const Instant made_a = model::creation_time_of(a), made_b = model::creation_time_of(b);
  return made_a == made_b ? model::name_of(a) < model::name_of(b) : made_a < made_b;
}

}  // namespace

Plan PodGcController::reconcile(const cluster::Sync& sync) {
  Plan plan;
  if (due_.is_zero()) due_ = sync.now;
  if (sync.now >= due_) {
    collect(sync, plan);
    due_ = due_ + options_.period;
  }
  plan.wake_at = due_;
  return plan;
}

void PodGcController::collect(const cluster::Sync& sync, Plan& plan) {
  const std::vector<Value> pods = sync.view.list("pods");
  std::set<std::string> nodes;
  for (const Value& node : sync.view.list("nodes")) nodes.insert(std::string(model::name_of(node)));
  std::set<std::string> handled;
  const auto remove = [&](const Value& pod, const Value& condition = {}) {
    if (handled.insert(std::string(model::uid_of(pod))).second)
      fail_and_remove(pod, condition, plan);
  };

  std::vector<Value> finished;
  for (const Value& pod : pods)
    if (model::pod_is_finished(pod)) finished.push_back(pod);
  if (options_.finished_max > 0 && finished.size() > options_.finished_max) {
    std::sort(finished.begin(), finished.end(), goes_first);
    for (std::size_t i = 0; i < finished.size() - options_.finished_max; ++i) remove(finished[i]);
  }
  for (const Value& pod : pods)
    if (model::is_deleting(pod) && nodes.contains(pod["spec"]["nodeName"].str()) &&
        is_out_of_service(sync.view.get("nodes", {}, pod["spec"]["nodeName"].as_string())))
      remove(pod);

  // A node may come back: its pods wait out a quarantine.
  for (const Value& pod : pods) {
    const std::string node = pod["spec"]["nodeName"].str();
    if (!node.empty() && !nodes.contains(node))
      missing_.try_emplace(node, sync.now + options_.quarantine);
  }
  std::set<std::string> gone;
  for (auto at = missing_.begin(); at != missing_.end();) {
    if (at->second > sync.now) {
      ++at;
      continue;
    }
    if (!nodes.contains(at->first)) gone.insert(at->first);
    at = missing_.erase(at);
  }
  for (const Value& pod : pods)
    if (gone.contains(pod["spec"]["nodeName"].str()))
      remove(pod, Value::object({{"type", "DisruptionTarget"},
                                 {"status", "True"},
                                 {"reason", "DeletionByPodGC"},
                                 {"message", "PodGC: node no longer exists"},
                                 {"lastTransitionTime", to_rfc3339(sync.now)}}));
  for (const Value& pod : pods)
    if (model::is_deleting(pod) && pod["spec"]["nodeName"].as_string().empty()) remove(pod);
}

}  // namespace keelson::control
