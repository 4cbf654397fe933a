#include "control/eventttl/eventttl.h"

#include <algorithm>

#include "control/common/claims.h"
#include "control/common/templates.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

constexpr std::string_view kEvents = "events";

// When the event was written last, as far as it says so itself.
Instant last_told(const Value& event) {
  Instant last = model::creation_time_of(event);
  for (const Value* time :
       {&event["lastTimestamp"], &event["eventTime"], &event["series"]["lastObservedTime"]})
    if (const Instant at = model::time_of(*time); !at.is_zero()) last = std::max(last, at);
  return last;
}

}  // namespace

std::vector<cluster::Watch> EventTtlController::watches() const {
  return {{std::string(kEvents), [](const cluster::View&, const Value& before, const Value& after) {
             // A repeated event is looked at when its first time is over; that is early enough.
             return before.is_null() ? std::vector<cluster::Key>{key_of(after)}
                                     : std::vector<cluster::Key>{};
           }}};
}

cluster::Plan EventTtlController::reconcile(const cluster::Sync& sync) {
  cluster::Plan plan;
  const Value event = sync.view.get(kEvents, sync.key.namespace_, sync.key.name);
  if (event.is_null() || model::is_deleting(event)) return plan;
  const Instant end = last_told(event) + kept_;
  if (end > sync.now) {
    plan.wake_at = end;
    return plan;
  }
  // Told again in this moment, it stays.
  plan.writes.push_back(remove(kEvents, event));
  plan.writes.back().uid = model::uid_of(event);
  plan.writes.back().revision = model::revision_of(event);
  return plan;
}

}  // namespace keelson::control
