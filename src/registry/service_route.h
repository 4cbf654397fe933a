// Where a request to a port of a Service goes: one ready endpoint of it, straight, without the
// Service's own address, so that it works on a host without service addresses too. The one home of
// this for webhooks, aggregated APIs and the proxy subresource. Pure. Source: apiserver
// pkg/util/proxy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::registry {

using codec::Value;

struct ServiceRoute {
  std::string address;  // numeric, or the external name
  int port = 0;
  std::string pod;  // whose endpoint it is; empty: nobody's
};

// The port of this number, or of this name or number; null if there is none.
const Value& service_port(const Value& service, std::int64_t number);
const Value& service_port(const Value& service, std::string_view name_or_number);

// `port` is one of the Service's; `slices` are the EndpointSlices of its namespace. `choice` is any
// number: it says which endpoint is looked at first. Error: service_unavailable.
Result<ServiceRoute> route_of(const Value& service, const Value& port,
                              const std::vector<Value>& slices, std::uint64_t choice);

// The same from what may be missing: a Service that is null, a port that it lacks. Error also:
// not_found, `service "a" not found`.
Result<ServiceRoute> route_to(std::string_view name, std::int64_t port, const Value& service,
                              const std::vector<Value>& slices, std::uint64_t choice);

// Whether a slice belongs to the Service.
bool is_slice_of(const Value& slice, std::string_view service_name);

}  // namespace keelson::registry
