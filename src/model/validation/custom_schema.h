// The schemas of custom resource definitions: what may stand in them.
#pragma once

#include <string>
#include <string_view>

#include "codec/value.h"
#include "model/field_error.h"

namespace keelson::model {

// `validation` holds openAPIV3Schema, at `path`. `status`: the status subresource is on.
void check_custom_validation(const Path& path, const codec::Value& validation, bool status,
                             FieldErrors& errors);
bool schema_has_defaults(const codec::Value& schema);

struct SchemaField {
  codec::Value schema;
  std::string path, root;  // ".spec.a" is "spec.a" below "spec"
  std::string why_not;     // empty if the path leads to a field
};
// Follows ".spec.names['a.b']" through a schema.
SchemaField find_schema_field(const codec::Value& schema, std::string_view path, bool brackets);

}  // namespace keelson::model
