// What Services and their pods say to each other, as EndpointSlices and Endpoints both list it.
// Behaviour: staging/src/k8s.io/endpointslice/util.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "codec/value.h"

namespace keelson::control {

using codec::Value;

bool is_v6_address(std::string_view address);
bool is_headless(const Value& service);  // has no address of its own
// The number that a port of the Service has in this pod; 0 if the pod has no port of that name.
std::int64_t target_port(const Value& port, const Value& pod);
// The name that the pod has under the Service; empty if it has none there.
std::string_view hostname_under(const Value& service, const Value& pod);

}  // namespace keelson::control
