// Which resources somebody acts on in this engine, so that `status` can name what is only stored.
// The list follows the controllers that the engine is built with; data that others read
// (ConfigMaps, RBAC ...) counts as acted on.
#pragma once

#include <string_view>

namespace keelson::app {

// resource: "deployments.apps".
bool is_acted_on(std::string_view resource);

}  // namespace keelson::app
