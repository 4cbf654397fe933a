// OpenAPI documents of what is served, derived from the table of types and, for custom resources,
// from their schemas: one v3 document for each group and version, and one v2 document of
// everything. Equal to the original's documents but for descriptions, of which there are none save
// those that schemas of custom resources bring.
#pragma once

#include <string>
#include <vector>

#include "api/documents/discovery.h"
#include "codec/value.h"
#include "model/types.h"

namespace keelson::api {

struct OpenapiSource {
  const std::vector<DiscoveredGroup>& groups;
  const model::TypeTable& types;
};

// "api/v1", "apis/apps/v1" ...: the names under /openapi/v3/, sorted.
std::vector<std::string> openapi_v3_names(const OpenapiSource& source);
// Of which resources the document of this name tells; none for the general ones.
std::vector<model::ResourcePointer> openapi_v3_resources(const OpenapiSource& source,
                                                         const std::string& name);
// Null if there is no document of this name.
Value openapi_v3(const OpenapiSource& source, const std::string& name);
Value openapi_v2(const OpenapiSource& source);

}  // namespace keelson::api
