// The schemas of custom resources as OpenAPI publishes them.
// Original: apiextensions-apiserver pkg/controller/openapi/builder and v2.
#pragma once

#include "api/documents/openapi_paths.h"
#include "api/documents/openapi_schema.h"
#include "model/types.h"

namespace keelson::api {

// Writes the schemas of a custom resource's objects and lists.
void add_custom_schemas(SchemaWriter& writer, const model::Resource& resource);

}  // namespace keelson::api
