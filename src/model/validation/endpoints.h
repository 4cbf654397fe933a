// What Services, Endpoints and EndpointSlices ask of an address.
#pragma once

#include <string_view>

#include "model/field_error.h"

namespace keelson::model {

// Refuses unspecified, loopback and link-local addresses.
void check_endpoint_ip(const Path& path, std::string_view text, FieldErrors& errors);

}  // namespace keelson::model
