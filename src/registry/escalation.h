// Nobody hands out more than they hold: a role may only be written with rules that its writer has,
// and bound only by somebody who has them, unless the verbs escalate and bind allow more. Source:
// Kubernetes' pkg/registry/rbac (policybased storages, ConfirmNoEscalation).
//
// Asks the outside through Environment::authorize and Environment::rules; without them nothing is
// refused.
#pragma once

#include "registry/state.h"

namespace keelson::registry {

// `object` is what is about to be stored, `old` what it replaces (null on creation). Error:
// forbidden, naming the permissions that the writer lacks; not_found if the role that a binding
// refers to does not exist.
Result<void> check_escalation(const Registry::State& state, const Call& call, const Value& object,
                              const Value& old);

// The rules of `wanted` that none of `held` covers, one verb on one resource each.
std::vector<Value> uncovered_rules(const std::vector<Value>& held,
                                   const std::vector<Value>& wanted);

}  // namespace keelson::registry
