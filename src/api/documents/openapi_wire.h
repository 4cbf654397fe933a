// OpenAPI documents in protobuf, as kubectl and the Go clients ask for them: the messages
// openapi.v2.Document and openapi.v3.Document of gnostic. What those keep as text (extensions,
// defaults of v2, examples) is YAML.
#pragma once

#include <string>

#include "codec/value.h"

namespace keelson::api {

std::string openapi_v2_wire(const codec::Value& document);
std::string openapi_v3_wire(const codec::Value& document);

}  // namespace keelson::api
