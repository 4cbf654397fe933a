#include "registry/crds/conversion.h"

namespace keelson::registry::crds {

Result<std::vector<Value>> convert_objects(Registry::State& state, const model::Resource& to,
                                           std::vector<Value> objects) {
  (void)state;
  for (Value& object : objects) object.set("apiVersion", to.api_version());
  return objects;
}

}  // namespace keelson::registry::crds
