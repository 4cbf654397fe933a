// Tables: what `kubectl get` shows. The columns of the built-in kinds stand in a text table
// (columns.cc); those of custom resources come from additionalPrinterColumns. Pure: the ages in a
// Table are counted from `now`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "codec/value.h"
#include "model/types.h"
#include "registry/request.h"

namespace keelson::registry {

// Makes a cell from an object.
using Cell = std::function<Value(const Value& object, Instant now)>;

struct Column {
  std::string name, type = "string", format, description;
  int priority = 0;
  Cell cell;
};
using Columns = std::vector<Column>;

// Columns of a resource; of its scale subresource where `subresource` says so. Kinds without an
// entry have Name and Created At.
std::shared_ptr<const Columns> columns_of(const model::Resource& resource,
                                          std::string_view subresource = {});

// A resource as the client asked for it, and as its objects are kept. Cells and bare metadata are
// made from what the original has in memory: the kept version, and a DaemonSet without the
// annotation that stands for its template's generation.
struct Kinds {
  const model::Resource& asked;
  const model::Resource& kept;
};

// The Table of one object or of a list's items. `meta` is the ListMeta to carry
// (resourceVersion, continue, remainingItemCount); columns are left out of later watch frames.
Value table_of(const Columns& columns, const Kinds& kinds, const Value& meta,
               const std::vector<Object>& items, const Form& form, Instant now,
               bool with_columns = true);

// meta.k8s.io PartialObjectMetadata of an object.
Value partial_of(const Kinds& kinds, const Value& object, std::string_view meta_version);

// duration.HumanDuration: "5s", "3m20s", "2d4h".
std::string human_duration(Duration duration);

}  // namespace keelson::registry
