#include "registry/field_owners.h"

#include "model/meta.h"

namespace keelson::registry {

void track_update(const model::Resource&, const Strategy&, const Value& live, Value& object,
                  const FieldWriter&) {
  if (live["metadata"].has("managedFields") && !object["metadata"].has("managedFields"))
    object.edit("metadata").set("managedFields", live["metadata"]["managedFields"]);
}

Result<Value> apply_configuration(const model::Resource&, const Strategy&, const Value& live,
                                  const Value& configuration, const FieldWriter&, bool) {
  if (live.is_null()) return configuration;
  return live;
}

bool same_but_times(const Value& a, const Value& b) {
  if (a == b) return true;
  const auto timeless = [](const Value& object) {
    Value out = object;
    Value& fields = out.edit("metadata").edit("managedFields");
    for (std::size_t i = 0; i < fields.size(); ++i) fields.edit(i).erase("time");
    return out;
  };
  if (!(a["metadata"].has("managedFields") && b["metadata"].has("managedFields"))) return false;
  return timeless(a) == timeless(b);
}

}  // namespace keelson::registry
