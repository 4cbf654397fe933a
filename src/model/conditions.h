// Writing conditions of a status, as apimachinery's meta.SetStatusCondition and the controllers'
// own twins of it do: a condition's lastTransitionTime is that of the last change of its status.
// Reading them: meta.h.
#pragma once

#include "base/time.h"
#include "codec/value.h"

namespace keelson::model {

using codec::Value;

// The condition with its lastTransitionTime: that of the object's one of its type if that has the
// same status, else `now`.
Value condition_after(const Value& object, Value condition, Instant now);

// Puts it into status.conditions in the place of the one of its type, or at the end. While the
// status of the condition stays the same, so does its lastTransitionTime.
void put_condition(Value& status, Value condition);

}  // namespace keelson::model
