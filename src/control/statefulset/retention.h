// Who owns a claim of a StatefulSet, so that garbage collection removes it when
// persistentVolumeClaimRetentionPolicy says so: the set, the pod (once it is scaled away), or
// nobody. Inside this folder only.
// Behaviour: pkg/controller/statefulset/stateful_set_utils.go.
#pragma once

#include "codec/value.h"

namespace keelson::control::stateful {

using codec::Value;

bool retains_when_scaled(const Value& set);
// A reference to another object of this one's name: whatever it was, it is not this one.
bool has_stale_reference(const Value& claim, const Value& object);
// Somebody else is the claim's controller; then the policy does not apply to it.
bool has_unexpected_controller(const Value& claim, const Value& set, const Value& pod);
bool owners_are_up_to_date(const Value& claim, const Value& set, const Value& pod);
void update_owners(Value& claim, const Value& set, const Value& pod);

}  // namespace keelson::control::stateful
