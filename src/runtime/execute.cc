// Apart from identity.cc, so that only who writes through a registry links one.
#include <utility>

#include "registry/registry.h"
#include "runtime/identity.h"

namespace keelson::runtime {

namespace {

cluster::Write named(cluster::Write write, std::string_view component) {
  if (write.field_manager.empty()) write.field_manager = field_manager_of(component);
  return write;
}

}  // namespace

Execute execute_through(registry::Registry& registry) {
  return [&registry](const cluster::Write& write, std::string_view component) {
    return registry.commit(named(write, component), identity_of(component));
  };
}

ExecuteLater execute_later_through(registry::Registry& registry) {
  return [&registry](const cluster::Write& write, std::string_view component,
                     std::function<void(Result<cluster::Value>)> done) {
    registry.commit(named(write, component), identity_of(component), std::move(done));
  };
}

}  // namespace keelson::runtime
