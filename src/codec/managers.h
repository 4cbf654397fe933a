// The decoded form of metadata.managedFields: the inside of managed_fields.h.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "codec/field_set.h"
#include "codec/schema.h"

namespace keelson::codec {

// What a manager owns. Most writes touch the fields of few managers: what was read is taken apart
// only when that is asked for, and is written as it was read.
class OwnedFields {
 public:
  OwnedFields() = default;
  OwnedFields(FieldSet set) : set_(std::move(set)) {}  // NOLINT: implicit by design
  // FieldsV1 that of_json() accepts.
  static OwnedFields read(Value fields);

  const FieldSet& set() const;
  Value to_json() const { return read_.is_null() ? set().to_json() : read_; }
  bool empty() const;
  // Whether at least one member of the other set is owned, or all of them.
  bool meets(const FieldSet& other) const;
  bool covers(const FieldSet& other) const;
  // adapted_to_schema() would change nothing.
  bool fits(const Use& use) const;

 private:
  Value read_;  // null: not read
  mutable std::optional<FieldSet> set_ = FieldSet();
};

struct Manager {
  std::string name;
  bool applied = false;  // operation Apply, else Update
  std::string api_version, subresource;
  Instant time;  // zero: none
  OwnedFields fields;

  // Equal for entries of one manager; sorts by name first. JSON as the original's identifiers.
  std::string identity() const;
  // `"kubectl" with subresource "scale" using apps/v1`, as conflicts name it.
  std::string title() const;
};

// By identity.
using Managers = std::map<std::string, Manager>;

// `ours`: written by encode_managers(), so that nothing in them is malformed.
Result<Managers> decode_managers(const Value& managed_fields, bool ours = false);
// Null if there are none.
Value encode_managers(const Managers& managers);

struct Conflict {
  std::string manager;  // identity
  std::string title;
  FieldPath path;
};
Error conflict_error(const std::vector<Conflict>& conflicts);

}  // namespace keelson::codec
