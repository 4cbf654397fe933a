// OpenAPI documents of what is served, derived from the table of types and, for custom resources,
// from their schemas: one v3 document for each group and version, and one v2 document of all
// definitions. No descriptions.
#pragma once

#include <string>
#include <vector>

#include "api/discovery.h"
#include "codec/value.h"
#include "model/types.h"

namespace keelson::api {

struct OpenapiSource {
  const std::vector<DiscoveredGroup>& groups;
  const model::TypeTable& types;
};

// "api/v1", "apis/apps/v1" ...: the names under /openapi/v3/.
std::vector<std::string> openapi_v3_names(const OpenapiSource& source);
// Null if there is no document of this name.
Value openapi_v3(const OpenapiSource& source, const std::string& name);
Value openapi_v2(const OpenapiSource& source);

}  // namespace keelson::api
