#include "control/ttlafterfinished/ttlafterfinished.h"

#include "control/common/claims.h"
#include "control/common/templates.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

constexpr std::string_view kJobs = "jobs.batch";

// Since when a Job is finished; the zero Instant: it is not.
Instant finished_since(const Value& job) {
  for (const char* type : {"Complete", "Failed"})
    if (model::condition_is_true(job, type))
      return model::time_of(model::condition_of(job, type)["lastTransitionTime"]);
  return {};
}

bool is_to_go(const Value& job) {
  return !model::is_deleting(job) && !job["spec"]["ttlSecondsAfterFinished"].is_null() &&
         !finished_since(job).is_zero();
}

}  // namespace

std::vector<cluster::Watch> TtlAfterFinishedController::watches() const {
  return {{std::string(kJobs), [](const cluster::View&, const Value&, const Value& after) {
             return is_to_go(after) ? std::vector<cluster::Key>{key_of(after)}
                                    : std::vector<cluster::Key>{};
           }}};
}

cluster::Plan TtlAfterFinishedController::reconcile(const cluster::Sync& sync) {
  cluster::Plan plan;
  const Value job = sync.view.get(kJobs, sync.key.namespace_, sync.key.name);
  if (!is_to_go(job)) return plan;
  const Instant end =
      finished_since(job) + Duration::seconds(job["spec"]["ttlSecondsAfterFinished"].as_int());
  if (end > sync.now) {
    plan.wake_at = end;
    return plan;
  }
  cluster::Write write = remove(kJobs, job);
  write.uid = model::uid_of(job);
  write.propagation = "Foreground";
  plan.writes.push_back(std::move(write));
  return plan;
}

}  // namespace keelson::control
