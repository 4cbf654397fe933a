// The structural schemas of CustomResourceDefinitions: as codec::Type for merging and apply, and as
// rules for pruning and defaulting. Behaviour: apiextensions-apiserver pkg/apiserver/schema.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "codec/value.h"
#include "model/types.h"

namespace keelson::model {

// One Resource for each served version of a definition.
Result<std::vector<Resource>> custom_resources(const codec::Value& definition);

// Drops what the schema does not name; appends the paths of what it dropped ("spec.foo").
// apiVersion, kind and metadata of the object itself always stay.
void prune_custom(const codec::Value& schema, codec::Value& object,
                  std::vector<std::string>* dropped);

// Fills in defaults; a null where the schema is not nullable is dropped, or replaced by the
// default.
void default_custom(const codec::Value& schema, codec::Value& object);

}  // namespace keelson::model
