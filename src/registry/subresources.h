// Subresources whose body is not their object: scale, binding, eviction, the options of
// connections; and kinds that are answered and forgotten.
#pragma once

#include "registry/state.h"

namespace keelson::registry {

Result<Response> execute_scale(Registry::State& state, Call& call);
// The Scale that shows the replicas of an object of the call's storage version.
Value scale_view(const Call& call, const Value& object);
void set_scale_replicas(const Call& call, Value& object, std::int64_t replicas);
Result<Response> component_statuses(Registry::State& state, Call& call);
Result<Response> bind_pod(Registry::State& state, Call& call);
Result<Response> evict_pod(Registry::State& state, Call& call);
// Whether exec, attach, portforward or proxy may go on; the answer's object are the options as
// admission left them.
Result<Response> admit_connection(Registry::State& state, Call& call);
// The kind of what a call's body is, where that is not the kind of its resource; null else.
std::optional<model::Resource> kind_of_body(const Call& call);

// {"status": "Success", "code": 201}.
Response created_status(Call& call, std::int64_t revision);

}  // namespace keelson::registry
