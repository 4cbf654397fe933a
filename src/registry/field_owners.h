// metadata.managedFields: who owns which field. The seam between the write path and the codec's
// server-side apply.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/types.h"
#include "registry/request.h"
#include "registry/strategy.h"

namespace keelson::registry {

struct FieldWriter {
  std::string manager;
  std::string subresource;
  std::string api_version;  // in which the writer sees the object
  Instant now;
};

// Sets object.metadata.managedFields after a create or update by this writer: what differs from
// `live` (null on creation) becomes the writer's. Fields that the strategy resets are not tracked.
void track_update(const model::Resource& resource, const Strategy& strategy, const Value& live,
                  Value& object, const FieldWriter& writer);

// Server-side apply of a configuration onto `live` (null: it will be created). Errors: conflict
// with causes FieldManagerConflict; unknown (500) where the configuration does not fit the type.
Result<Value> apply_configuration(const model::Resource& resource, const Strategy& strategy,
                                  const Value& live, const Value& configuration,
                                  const FieldWriter& writer, bool force);

// Equal but for the times of managedFields.
bool same_but_times(const Value& a, const Value& b);

}  // namespace keelson::registry
