// See expectations.h.
#include "control/common/expectations.h"

#include <algorithm>

#include "base/text.h"
#include "model/meta.h"

namespace keelson::control {
namespace {
constexpr Duration kTimeout = Duration::minutes(5);

std::int64_t revision_number(const Value& object) {
  return parse_int(model::revision_of(object)).value_or(0);
}
}  // namespace

void Expectations::observe(const Value& after) {
  if (!after.is_null()) revision_seen_ = std::max(revision_seen_, revision_number(after));
}

void Expectations::created(const cluster::Key& owner, const Value& pod, Instant now) {
  waiting_[owner][std::string(model::uid_of(pod))] = {std::string(model::namespace_of(pod)),
                                                      std::string(model::name_of(pod)),
                                                      revision_number(pod), true, now};
}

void Expectations::deleted(const cluster::Key& owner, const Value& pod, Instant now) {
  waiting_[owner][std::string(model::uid_of(pod))] = {
      std::string(model::namespace_of(pod)), std::string(model::name_of(pod)), 0, false, now};
}

bool Expectations::satisfied(const cluster::Key& owner, const cluster::View& view, Instant now) {
  const auto at = waiting_.find(owner);
  if (at == waiting_.end()) return true;
  std::erase_if(at->second, [&](const auto& entry) {
    const auto& [uid, expected] = entry;
    if (now - expected.since > kTimeout) return true;
    const Value pod = view.get("pods", expected.namespace_, expected.name);
    const bool is_it = model::uid_of(pod) == uid;
    if (!expected.creation) return !is_it || model::is_deleting(pod);
    return is_it || (expected.revision > 0 && expected.revision <= revision_seen_);
  });
  if (!at->second.empty()) return false;
  waiting_.erase(at);
  return true;
}

}  // namespace keelson::control
