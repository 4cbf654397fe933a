// What the API server warns of while it accepts an object: deprecated fields, values without
// effect, names that make poor host names. Behaviour: the WarningsOnCreate and WarningsOnUpdate of
// the strategies under Kubernetes' pkg/registry. Texts of Warning headers, in the original's order.
//
// The object is valid, in storage version, defaulted and prepared.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"
#include "model/types.h"

namespace keelson::model {

using Warnings = std::vector<std::string>;

Warnings warnings_on_create(const Resource& resource, const codec::Value& object);
// `subresource`: the one written through; empty: the object itself.
Warnings warnings_on_update(const Resource& resource, std::string_view subresource,
                            const codec::Value& object, const codec::Value& old);

}  // namespace keelson::model
