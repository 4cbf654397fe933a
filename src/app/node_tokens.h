// Tokens for pods: what the nodes put into projected volumes, asked of the registry as a kubelet
// asks the API server.
#pragma once

#include "node/volumes.h"
#include "registry/registry.h"

namespace keelson::app {

// The registry must outlive the result.
node::TokenSource tokens_through(registry::Registry& registry);

}  // namespace keelson::app
