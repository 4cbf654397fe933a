// metadata.managedFields: who owns which field. Says to the codec what the write path knows of a
// kind: its versions and the fields that a strategy resets, which nobody comes to own.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "model/types.h"
#include "registry/request.h"
#include "registry/strategy.h"

namespace keelson::registry {

struct FieldWriter {
  std::string manager;
  std::string subresource;
  Instant now;
};

// Sets object.metadata.managedFields after a create or update by this writer: what differs from
// `live` (null on creation) becomes the writer's. `object` and `live` are in the resource's
// version.
void track_update(const model::TypeTable& types, const model::Resource& resource,
                  const Strategy& strategy, const Value& live, Value& object,
                  const FieldWriter& writer);

// Server-side apply of a configuration onto `live` (null: it will be created). Errors: conflict
// with causes FieldManagerConflict; unknown (500) where the configuration does not fit the type.
Result<Value> apply_configuration(const model::TypeTable& types, const model::Resource& resource,
                                  const Strategy& strategy, const Value& live,
                                  const Value& configuration, const FieldWriter& writer,
                                  bool force);

}  // namespace keelson::registry
