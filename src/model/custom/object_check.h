// Everything about a custom object but its rules in CEL: its type, its metadata, its schema, the
// replica fields that its scale subresource shows, embedded objects, and that lists of type set and
// map hold nothing twice. Order and ratcheting: apiextensions-apiserver
// pkg/registry/customresource.
#pragma once

#include <string>
#include <vector>

#include "codec/value.h"
#include "model/field_error.h"
#include "model/types.h"

namespace keelson::model {

// `object` and `old` are in the version of `resource`.
FieldErrors check_custom_create(const Resource& resource, const codec::Value& object);
FieldErrors check_custom_update(const Resource& resource, const codec::Value& object,
                                const codec::Value& old);
FieldErrors check_custom_status_update(const Resource& resource, const codec::Value& object,
                                       const codec::Value& old);
// Whether faults are such that rules cannot be evaluated on the object.
bool hinders_rules(const FieldErrors& errors);
// The error that is added then.
void add_rules_unchecked(FieldErrors& errors);

// Warnings about names of finalizers that the object newly has.
std::vector<std::string> custom_finalizer_warnings(const codec::Value& object,
                                                   const codec::Value& old);

// Items that stand more than once in lists of type set or map.
void check_list_types(const codec::Value& schema, const codec::Value& value, FieldErrors& errors);

}  // namespace keelson::model
