// Rules of the status subresources of kinds that have little to say there.
#pragma once

#include "model/validation/common.h"

namespace keelson::model {

void status_service(const Value& object, const Value& old, FieldErrors& errors);
void status_ingress(const Value& object, const Value& old, FieldErrors& errors);
void status_claim(const Value& object, const Value& old, FieldErrors& errors);
// metav1.Condition, as the newer kinds have it.
void check_standard_conditions(const Path& path, const Value& conditions, FieldErrors& errors);

void status_replication_controller(const Value& object, const Value& old, FieldErrors& errors);

}  // namespace keelson::model
