#include "registry/service_route.h"

#include "base/text.h"
#include "model/meta.h"

namespace keelson::registry {

namespace {

Error unavailable(std::string message) {
  return Error{Reason::service_unavailable, std::move(message)};
}

const Value& nothing() {
  static const Value null;
  return null;
}

bool is_ready(const Value& endpoint) {
  return endpoint["conditions"]["ready"].as_bool(true) && !endpoint["addresses"].empty();
}

}  // namespace

const Value& service_port(const Value& service, std::int64_t number) {
  for (const Value& port : service["spec"]["ports"].elements())
    if (port["port"].as_int() == number) return port;
  return nothing();
}

const Value& service_port(const Value& service, std::string_view name_or_number) {
  for (const Value& port : service["spec"]["ports"].elements())
    if (port["name"].as_string() == name_or_number ||
        std::to_string(port["port"].as_int()) == name_or_number)
      return port;
  return nothing();
}

bool is_slice_of(const Value& slice, std::string_view service_name) {
  return model::label_of(slice, "kubernetes.io/service-name") == service_name;
}

Result<ServiceRoute> route_of(const Value& service, const Value& port,
                              const std::vector<Value>& slices, std::uint64_t choice) {
  const std::string name(model::name_of(service));
  if (service["spec"]["type"].as_string() == "ExternalName")
    return ServiceRoute{
        service["spec"]["externalName"].str(), static_cast<int>(port["port"].as_int()), {}};
  for (const Value& slice : slices) {
    if (!is_slice_of(slice, name)) continue;
    for (const Value& one : slice["ports"].elements()) {
      if (one["name"].as_string() != port["name"].as_string() || one["port"].is_null()) continue;
      const auto& endpoints = slice["endpoints"].elements();
      for (std::size_t i = 0; i < endpoints.size(); ++i) {
        const Value& endpoint = endpoints[(i + choice) % endpoints.size()];
        if (!is_ready(endpoint)) continue;
        const Value& whose = endpoint["targetRef"];
        return ServiceRoute{endpoint["addresses"][0].str(), static_cast<int>(one["port"].as_int()),
                            whose["kind"].as_string() == "Pod" ? whose["name"].str() : ""};
      }
    }
  }
  return unavailable("no endpoints available for service " + quote(name));
}

Result<ServiceRoute> route_to(std::string_view name, std::int64_t port, const Value& service,
                              const std::vector<Value>& slices, std::uint64_t choice) {
  if (service.is_null()) return Error{Reason::not_found, "service " + quote(name) + " not found"};
  const Value& found = service_port(service, port);
  if (found.is_null())
    return unavailable("no service port " + std::to_string(port) + " found for service " +
                       quote(name));
  return route_of(service, found, slices, choice);
}

}  // namespace keelson::registry
