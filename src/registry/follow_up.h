// Follow-ups: what the API server itself writes in answer to a write: the names and conditions of
// custom resource definitions, whether a flow schema's priority level exists, whether an APIService
// can be reached. They run right after the write, before anyone else's, so that nobody has to wait
// for a controller.
#pragma once

#include <string>
#include <string_view>

#include "registry/state.h"

namespace keelson::registry {

const Identity& server_identity();

// A request of the server itself about one object (storage version).
Request system_request(const Registry::State& state, std::string_view resource,
                       std::string_view namespace_, std::string_view name);

// Removes a custom object, or marks it where finalizers hold it, in the form in which it is stored:
// a conversion webhook that is gone must not keep what its definition leaves behind.
Result<void> remove_as_stored(Registry::State& state, Call& call, const store::EntryPtr& entry);

// Replaces the status of a cluster-scoped object; as server-side apply or as an update. What is not
// there is not written.
Result<void> write_status(Registry::State& state, std::string_view resource, std::string_view name,
                          const Value& status, std::string_view manager, bool apply);

}  // namespace keelson::registry
