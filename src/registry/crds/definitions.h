// The custom resource definitions that every server has: Keelson's own kinds, and further ones that
// its controllers act on.
#pragma once

#include <vector>

#include "codec/value.h"

namespace keelson::registry {

// Complete CustomResourceDefinition objects without status.
std::vector<codec::Value> shipped_definitions();

}  // namespace keelson::registry
