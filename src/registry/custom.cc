// Custom resource definitions: what is served because of them.
#include "model/meta.h"
#include "registry/state.h"

namespace keelson::registry {

void Registry::State::serve_definition(const Value& before, const Value& after) {
  const Value& definition = after.is_null() ? before : after;
  const std::string name(model::name_of(definition));
  if (after.is_null()) {
    types.remove_custom(name);
  } else if (auto added = types.add_custom(after); !added.ok()) {
    types.remove_custom(name);
  }
  ++served_generation;
}

}  // namespace keelson::registry
