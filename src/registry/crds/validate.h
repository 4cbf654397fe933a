// Validation of custom objects on their way to the store: what the schema says, then its rules
// (x-kubernetes-validations), which are evaluated only on objects whose shape they can rely on.
#pragma once

#include "model/field_error.h"
#include "registry/state.h"

namespace keelson::registry::crds {

// Objects are in the call's version. Warnings go to the call.
model::FieldErrors validate_create(Call& call, const Value& object);
// Of the object or, where the call is for it, its status.
model::FieldErrors validate_update(Call& call, const Value& object, const Value& old);

}  // namespace keelson::registry::crds
