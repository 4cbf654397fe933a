// Defaults of a definition's schema: each has to be what the schema there allows, and hold nothing
// that would be pruned. Behaviour: apiextensions-apiserver pkg/apiserver/schema/defaulting.
#pragma once

#include "codec/value.h"
#include "model/field_error.h"

namespace keelson::model {

// `schema` is structural and stands at `path`; it is that of a whole object.
void check_schema_defaults(const Path& path, const codec::Value& schema, FieldErrors& errors);

}  // namespace keelson::model
