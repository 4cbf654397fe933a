// Objects seen through their types, for server-side apply: what differs, what a configuration owns,
// how it merges in. The rules, and which lists and maps are one unit ("atomic"), are those of
// structured-merge-diff v6. Pure; values are never changed in place.
#pragma once

#include <string>
#include <vector>

#include "codec/field_set.h"
#include "codec/schema.h"
#include "codec/value.h"

namespace keelson::codec {

enum class ListDuplicates : std::uint8_t { refuse, allow };

// Empty if the value fits; else in the original's words: ".spec.x: expected string, got ...", or
// several lines that begin with "errors:".
std::string typed_problem(const Value& value, const Use& use, ListDuplicates duplicates);

// Leaves and list or map items that differ between two objects of one type.
struct Comparison {
  FieldSet removed, modified, added;
  bool same() const { return removed.empty() && modified.empty() && added.empty(); }
  Comparison without_trees(const FieldSet& fields) const;
};
Comparison compare(const Value& before, const Value& after, const Use& use);

// `live` with everything that `applied` says. Nothing is removed. Lists whose order the
// configuration changes follow the configuration.
Value merge_typed(const Value& live, const Value& applied, const Use& use);

// Every leaf and every list or map item that the value mentions.
FieldSet fields_of(const Value& value, const Use& use);

// Without the members of the set, and all below them.
Value without_fields(const Value& value, const FieldSet& fields, const Use& use);

// The set with the structures' named fields above its members.
FieldSet with_named_fields(const FieldSet& fields, const Use& use);

// A set that was written when lists or maps were granular that are atomic now: their owner owns
// them as a whole.
FieldSet adapted_to_schema(const FieldSet& fields, const Use& use);

// What the original's Go type is before anything is decoded into it: members that are always served
// ("spec": {"selector": null, "template": {...}}).
Value empty_object(const Type& type);

}  // namespace keelson::codec
