// Values against schemas of custom resources (openAPIV3Schema as it stands in the definition, as
// JSON). Errors and their wording: kube-openapi pkg/validation/validate and apiextensions'
// translation into field errors, faults of theirs included where clients see them (maxLength counts
// characters and speaks of bytes; a failed anyOf shows the branch that went furthest).
//
// Types, bounds, formats, patterns, enumerations, required members and the logical junctors are
// checked here; pruning and defaulting happened before; rules in CEL, list types and embedded
// metadata come after (object_check.h).
#pragma once

#include <string>
#include <string_view>

#include "codec/value.h"
#include "model/custom/correlation.h"
#include "model/field_error.h"

namespace keelson::model {

// `at`: the path of the value, empty for a whole object; messages name fields from the value on.
void check_against_schema(const codec::Value& schema, const codec::Value& value,
                          std::string_view at, FieldErrors& errors);
// On an update: faults of what has not changed are forgiven.
void check_against_schema(const codec::Value& schema, const Correlation& change,
                          std::string_view at, FieldErrors& errors);

// Whether `pattern` is a regular expression; if not, why, in Go's words.
bool is_valid_pattern(std::string_view pattern, std::string* why);

}  // namespace keelson::model
