// What the Job controller watches, and the gathering of a sync's inputs.
//
// A key is a Job, or work on pods that have lost theirs: "pods/NAME" for one, "pods-of/SELECTOR"
// for those of a Job that is finished or gone. No name of an object has a slash.
#include "control/job/job.h"

#include <algorithm>

#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace {

using cluster::Key;

constexpr std::string_view kResource = "jobs.batch";
constexpr OwnerKind kOwner{kResource, "Job"};
constexpr std::string_view kPodKey = "pods/", kPodsKey = "pods-of/";
// Changes of pods and of the status are worked on together.
constexpr Duration kBatchPeriod = Duration::seconds(1);

Key key_of_pods(const Value& job) {
  const auto selector = model::LabelSelector::of(job["spec"]["selector"]);
  return {std::string(model::namespace_of(job)),
          std::string(kPodsKey) + (selector.ok() ? selector->text() : std::string())};
}

// Nobody counts this pod any more: it has a finalizer of Jobs, and its Job is gone or finished.
bool is_stranded(const cluster::View& view, const Value& pod) {
  if (!jobs::has_finalizer(pod)) return false;
  const Value& controller = model::controller_of(pod);
  if (controller.is_null()) return true;
  if (controller["kind"].as_string() != "Job" || controller["apiVersion"].as_string() != "batch/v1")
    return false;
  const Value job = resolve_controller(view, kResource, kOwner.kind, pod);
  return job.is_null() ||
         (!jobs::is_managed_elsewhere(job) && !jobs::finished_condition(job).is_null());
}

}  // namespace

std::vector<Key> JobController::keys_of_job(const Value& before, const Value& after) const {
  const Value& job = after.is_null() ? before : after;
  const Key key = key_of(job);
  if (after.is_null()) {
    delays_.wish(key, {});
    return {key, key_of_pods(job)};
  }
  if (!before.is_null() && !jobs::finished_condition(after).is_null()) return {key_of_pods(job)};
  const bool status_only =
      !before.is_null() && model::generation_of(before) == model::generation_of(after);
  delays_.wish(key, status_only ? kBatchPeriod : Duration());
  if (!before.is_null() &&
      before["spec"]["activeDeadlineSeconds"] != after["spec"]["activeDeadlineSeconds"])
    deadline_changed_.insert(key);
  return {key};
}

std::vector<Key> JobController::keys_of_pod(const cluster::View& view, const Value& before,
                                            const Value& after) const {
  orphans_.observe(before, after);
  expectations_.observe(after);
  std::vector<Key> keys;
  for (Key& key : concerned(view, kOwner, before, after, Departure::when_asked)) {
    // A finished Job counts nothing any more.
    if ((after.is_null() || model::is_deleting(after)) &&
        !jobs::finished_condition(view.get(kResource, key.namespace_, key.name)).is_null())
      continue;
    delays_.wish(key, kBatchPeriod);
    keys.push_back(std::move(key));
  }
  const bool lost = model::controller_of(after).is_null() || model::is_deleting(after);
  if (!after.is_null() && lost && is_stranded(view, after))
    keys.push_back({std::string(model::namespace_of(after)),
                    std::string(kPodKey) + std::string(model::name_of(after))});
  return keys;
}

std::vector<cluster::Watch> JobController::watches() const {
  return {
      {std::string(kResource), [this](const cluster::View&, const Value& before,
                                      const Value& after) { return keys_of_job(before, after); }},
      {"pods", [this](const cluster::View& view, const Value& before, const Value& after) {
         return keys_of_pod(view, before, after);
       }}};
}

// Takes the finalizer from stranded pods.
cluster::Plan JobController::sync_orphans(const cluster::Sync& sync) {
  Pods pods;
  if (sync.key.name.starts_with(kPodKey)) {
    pods.push_back(
        sync.view.get("pods", sync.key.namespace_, sync.key.name.substr(kPodKey.size())));
  } else {
    const auto selector =
        model::LabelSelector::parse(std::string_view(sync.key.name).substr(kPodsKey.size()));
    if (!selector.ok() || selector->matches_everything()) return {};
    for (Value& pod : sync.view.list("pods", sync.key.namespace_))
      if (selector->matches(model::labels_of(pod))) pods.push_back(std::move(pod));
  }
  std::vector<cluster::Write> writes;
  for (const Value& pod : pods)
    if (is_stranded(sync.view, pod))
      writes.push_back(finalizer_removal("pods", pod, jobs::kFinalizer));
  return Script::run([writes = std::move(writes)](Script& script) -> Result<void> {
    for (const Result<Value>& result : script.write(writes))
      if (!result.ok() && result.error().reason != Reason::not_found) return result.error();
    return {};
  });
}

JobInputs JobController::gather(const cluster::Sync& sync, Value job) {
  JobInputs inputs;
  inputs.job = std::move(job);
  inputs.pods = owned_and_orphans(sync.view, "pods", orphans_, inputs.job);
  Memory& memory = memory_[sync.key];
  std::set<std::string, std::less<>> still;
  for (const Value& pod : inputs.pods)
    if (memory.released.contains(model::uid_of(pod)) && jobs::has_finalizer(pod))
      still.emplace(model::uid_of(pod));
  memory.released = still;
  inputs.released = std::move(still);
  inputs.backoff = memory.backoff;
  inputs.may_manage = expectations_.satisfied(sync.key, sync.view, sync.now);
  inputs.now = sync.now;
  return inputs;
}

cluster::Plan JobController::reconcile(const cluster::Sync& sync) {
  const Key& key = sync.key;
  if (key.name.starts_with(kPodKey) || key.name.starts_with(kPodsKey)) return sync_orphans(sync);
  const Value job = sync.view.get(kResource, key.namespace_, key.name);
  if (job.is_null()) {
    expectations_.forget(key);
    delays_.forget(key);
    deadline_changed_.erase(key);
    memory_.erase(key);
    return {};
  }
  if (deadline_changed_.erase(key) > 0)
    if (const Value& limit = job["spec"]["activeDeadlineSeconds"]; !limit.is_null())
      if (const Instant start = model::time_of(job["status"]["startTime"]); !start.is_zero())
        delays_.add_at(key, start + Duration::seconds(limit.as_int()));
  cluster::Plan plan;
  const bool wanted = delays_.take(key, sync.now);
  if (!wanted || jobs::is_managed_elsewhere(job)) {
    plan.wake_at = delays_.due(key);
    return plan;
  }
  if (!jobs::finished_condition(job).is_null()) {
    memory_.erase(key);
    delays_.forget(key);
    return plan;
  }
  return Script::run([this, inputs = gather(sync, job), key](Script& script) {
    JobOutcome outcome;
    const Result<void> end = sync_job(inputs, script, outcome);
    if (script.waiting()) return end;
    Memory& memory = memory_[key];
    if (outcome.backoff) memory.backoff = *outcome.backoff;
    for (std::string& uid : outcome.released) memory.released.insert(std::move(uid));
    for (const Value& pod : outcome.created) expectations_.created(key, pod, inputs.now);
    for (const Value& pod : outcome.deleted) expectations_.deleted(key, pod, inputs.now);
    for (const Instant when : outcome.again) delays_.add_at(key, when);
    // Its own back-off, which begins at a second.
    if (end.ok())
      delays_.succeeded(key);
    else
      delays_.failed(key, inputs.now);
    if (const auto due = delays_.due(key)) script.wake_at(*due);
    return end;  // to be told of; the manager's own retry finds nothing to do yet
  });
}

}  // namespace keelson::control
