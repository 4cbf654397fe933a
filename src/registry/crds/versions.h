// A custom object in the versions of its definition. Every version has a schema of its own; what is
// kept follows the schema of the version in which it was written, as it was then. So an object is
// pruned and defaulted again when it is read after its schema changed, and converted when it is
// asked for in another version: by name only, or by the definition's webhook. Behaviour:
// apiextensions-apiserver customresource_handler.go and pkg/apiserver/conversion.
#pragma once

#include <vector>

#include "model/types.h"
#include "registry/state.h"

namespace keelson::registry::crds {

// The object of an entry in the version of `resource`; null where it is as the entry has it.
Result<Value> view(Registry::State& state, const store::EntryPtr& entry,
                   const model::Resource& resource);
// Those of many entries; one question to a webhook for all of them.
Result<std::vector<Value>> view_all(Registry::State& state,
                                    const std::vector<store::EntryPtr>& entries,
                                    const model::Resource& resource);

// From the version of a request to the one that is kept. Shares its node with `object` if they are
// the same version.
Result<Value> to_storage(Registry::State& state, const model::Resource& from, const Value& object);
// And back: what a reader of the version `to` will get.
Result<Value> from_storage(Registry::State& state, const Value& kept, const model::Resource& to);

// Between two versions; an object in neither of them stays as it is.
Result<Value> convert(Registry::State& state, const model::Resource& from,
                      const model::Resource& to, const Value& object);

}  // namespace keelson::registry::crds
