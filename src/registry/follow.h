// Following whole collections from within the process: who only wants to know that something
// changed and reads anew. Watches for clients: registry.h.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "registry/registry.h"

namespace keelson::registry {

// Calls `changed` after durable changes of any object of these resources (plurals of the group, in
// v1), from now on and until the watchers are dropped; several changes may come as one call.
std::vector<std::unique_ptr<Watcher>> follow(Registry& registry, std::string_view group,
                                             std::initializer_list<std::string_view> resources,
                                             const std::function<void()>& changed);

}  // namespace keelson::registry
