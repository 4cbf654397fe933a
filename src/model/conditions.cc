#include "model/conditions.h"

#include <algorithm>

#include "model/meta.h"

namespace keelson::model {
namespace {

void keep_time(Value& condition, const Value& before) {
  if (before["status"] == condition["status"] && before.has("lastTransitionTime"))
    condition.set("lastTransitionTime", before["lastTransitionTime"]);
}

}  // namespace

Value condition_after(const Value& object, Value condition, Instant now) {
  condition.set("lastTransitionTime", to_rfc3339(now));
  keep_time(condition, condition_of(object, condition["type"].as_string()));
  return condition;
}

void put_condition(Value& status, Value condition) {
  Value& conditions = status.edit("conditions");
  const auto& all = conditions.elements();
  const auto at = std::find_if(all.begin(), all.end(),
                               [&](const Value& one) { return one["type"] == condition["type"]; });
  if (at == all.end()) return conditions.push_back(std::move(condition));
  keep_time(condition, *at);
  conditions.edit(static_cast<std::size_t>(at - all.begin())) = std::move(condition);
}

}  // namespace keelson::model
