// What the API server itself does about APIServices: those of definitions come and go with them
// (label automanaged), and those that stand for other servers say whether they can be reached. Here
// stands what follows from objects alone; whether a server answers is asked outside
// (Registry::follow_remote_apis). Source: kube-aggregator pkg/controllers/autoregister and status,
// pkg/controlplane/controller/crdregistration.
#pragma once

#include <string>
#include <vector>

#include "registry/state.h"

namespace keelson::registry {

// The names of the APIServices of a definition's versions; of null: none.
std::vector<std::string> api_services_of(const Value& definition);

// Makes, mends or removes the APIService of a definition; writes why another server cannot be
// reached, or has it asked.
Result<void> settle_api_service(Registry::State& state, const std::string& name);

// Keeps State::remote_apis.
void note_api_service(Registry::State& state, const Value& before, const Value& after);

void report_asked(Registry::State& state, const std::string& name, const Result<void>& asked);

}  // namespace keelson::registry
