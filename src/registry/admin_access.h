// Administrators' access to devices that others hold: a claim, or a template of claims, may ask for
// it only in a namespace that is labelled for it. Source: Kubernetes'
// pkg/registry/resource/utils.go.
#pragma once

#include "model/field_error.h"
#include "registry/state.h"

namespace keelson::registry {

// What a claim or template that is about to be created lacks; nothing for other kinds.
model::FieldErrors check_admin_access(const Registry::State& state, const Call& call,
                                      const Value& object);

}  // namespace keelson::registry
