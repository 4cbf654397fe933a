// Conversion of custom objects between versions: the strategies None (only apiVersion changes) and
// Webhook. Wording of failures: apiextensions-apiserver pkg/apiserver/conversion.
#pragma once

#include <vector>

#include "model/types.h"
#include "registry/state.h"

namespace keelson::registry::crds {

// The objects, which are in other versions of the same resource, in the version of `to`, in order.
// Not pruned yet.
Result<std::vector<Value>> convert_objects(Registry::State& state, const model::Resource& to,
                                           std::vector<Value> objects);

}  // namespace keelson::registry::crds
