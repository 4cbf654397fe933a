// The decoded form of metadata.managedFields: the inside of managed_fields.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "codec/field_set.h"

namespace keelson::codec {

struct Manager {
  std::string name;
  bool applied = false;  // operation Apply, else Update
  std::string api_version, subresource;
  Instant time;  // zero: none
  FieldSet fields;

  // Equal for entries of one manager; sorts by name first. JSON as the original's identifiers.
  std::string identity() const;
  // `"kubectl" with subresource "scale" using apps/v1`, as conflicts name it.
  std::string title() const;
};

// By identity.
using Managers = std::map<std::string, Manager>;

Result<Managers> decode_managers(const Value& managed_fields);
// Null if there are none.
Value encode_managers(const Managers& managers);

struct Conflict {
  std::string manager;  // identity
  std::string title;
  FieldPath path;
};
Error conflict_error(const std::vector<Conflict>& conflicts);

}  // namespace keelson::codec
