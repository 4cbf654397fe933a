// metadata.managedFields: who owns which fields, and the two operations on it: server-side apply,
// and keeping track of who changed what by any other write (apimachinery managedfields,
// structured-merge-diff merge). Pure: time is an argument.
//
// A manager is known by its name, its operation, the subresource, and for Update the API version.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "codec/field_set.h"
#include "codec/schema.h"
#include "codec/value.h"

namespace keelson::codec {

// What must be known of the kind that is written.
struct Ownership {
  std::string api_version, kind;  // of the request: "apps/v1", "Deployment"
  std::string subresource = {};   // "status"; empty for the object itself
  const Type* type = nullptr;     // in the request's version
  // Fields of the request's version that this request cannot change and so never owns: .status for
  // the object itself, .spec for /status ("reset fields" of the original's strategies).
  FieldSet reset = {};
  // Kinds of several versions. What managers of another version own is compared in their version;
  // a version without type is no longer served and its managers are forgotten. Where `type_of` is
  // empty there is only the one version. `convert` gets values in `from` and returns them in `to`.
  std::function<const Type*(std::string_view api_version)> type_of = {};
  std::function<Value(const Value& object, std::string_view from, std::string_view to)> convert =
      {};
  std::function<FieldSet(std::string_view api_version)> reset_of = {};
};

// Server-side apply. `live` is the object in the request's version, or null if it does not exist
// yet; `configuration` is the body as sent. The result is the merged object with its managedFields;
// it is to be decoded and defaulted like any other (it may hold nulls). It equals `live` when
// nothing changed, so that the write is none. Errors: conflict, with one cause for each field;
// bad_request; `unknown` for a configuration that does not fit its type.
Result<Value> apply_configuration(const Ownership& ownership, const Value& live,
                                  const Value& configuration, std::string_view manager, bool force,
                                  Instant now);

// Any other write: `object` is what will be stored (decoded and defaulted, not yet prepared by its
// strategy), with the managedFields that the client sent, `live` the stored object or null on
// creation. Returns `object` with the managedFields that it shall have. An object without any stays
// without. An empty list, or one empty entry, from the client resets them.
Value track_update(const Ownership& ownership, const Value& live, const Value& object,
                   std::string_view manager, Instant now);

// An update that changed nothing but times of managedFields changed nothing: returns `object` with
// the managedFields of `live` in that case, else `object` as it is.
Value without_new_times(const Value& live, const Value& object);

// The managers of a Scale made of those of its resource, and back after a write to the scale. The
// function names the replicas field of a version of the resource (.spec.replicas): null for a
// version that is not known, whose managers are dropped; an empty path if it has no scale.
using ReplicasPaths = std::function<const FieldPath*(std::string_view api_version)>;
Value scale_managers(const Value& parent_managed_fields, const ReplicasPaths& replicas);
Value parent_managers(const Value& parent_managed_fields, const Value& scale_managed_fields,
                      std::string_view parent_api_version, const ReplicasPaths& replicas);

// Why metadata.managedFields cannot be understood; empty: it can.
std::string managed_fields_problem(const Value& managed_fields);

}  // namespace keelson::codec
