// Apart from identity.cc, so that only who writes through a registry links one.
#include <utility>

#include "registry/registry.h"
#include "runtime/identity.h"

namespace keelson::runtime {

Execute execute_through(registry::Registry& registry) {
  return [&registry](const cluster::Write& write, std::string_view component) {
    if (!write.field_manager.empty()) return registry.commit(write, identity_of(component));
    cluster::Write named = write;
    named.field_manager = field_manager_of(component);
    return registry.commit(named, identity_of(component));
  };
}

}  // namespace keelson::runtime
