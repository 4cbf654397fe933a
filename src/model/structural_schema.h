// The structural schemas of CustomResourceDefinitions: as codec::Type for merging and apply, and as
// rules for pruning and defaulting. Behaviour: apiextensions-apiserver pkg/apiserver/schema.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "codec/value.h"
#include "model/types.h"

namespace keelson::model {

// One Resource for each version of a definition that is served or in which objects may be kept.
Result<std::vector<Resource>> custom_resources(const codec::Value& definition);

// Drops what the schema does not name; appends the paths of what it dropped ("spec.foo").
// apiVersion, kind and metadata of the object itself always stay.
void prune_custom(const codec::Value& schema, codec::Value& object,
                  std::vector<std::string>* dropped);

// The same of a value inside of an object.
void prune_custom_part(const codec::Value& schema, codec::Value& value);

// Drops members that are null where the schema is neither nullable nor has a default.
void drop_nulls_custom(const codec::Value& schema, codec::Value& object);

// Fills in defaults, also for a null where the schema is not nullable.
void default_custom(const codec::Value& schema, codec::Value& object);

// Whether x-kubernetes-validations stand anywhere in it.
bool schema_has_rules(const codec::Value& schema);

}  // namespace keelson::model
