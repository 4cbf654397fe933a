// See service_pods.h.
#include "control/common/service_pods.h"

#include "model/meta.h"

namespace keelson::control {

bool is_v6_address(std::string_view address) {
  return address.find(':') != std::string_view::npos;
}

bool is_headless(const Value& service) {
  const std::string_view address = service["spec"]["clusterIP"].as_string();
  return address == "None" || address.empty();
}

std::int64_t target_port(const Value& port, const Value& pod) {
  const Value& target = port["targetPort"];
  if (!target.is_string())
    return target.is_null() || target.as_int() == 0 ? port["port"].as_int() : target.as_int();
  const Value protocol = port["protocol"].is_null() ? Value("TCP") : port["protocol"];
  const auto search = [&](const Value& containers, bool sidecars_only) -> std::int64_t {
    for (const Value& c : containers.elements()) {
      if (sidecars_only && !model::is_sidecar(c)) continue;
      for (const Value& p : c["ports"].elements())
        if (p["name"] == target &&
            (p["protocol"].is_null() ? Value("TCP") : p["protocol"]) == protocol)
          return p["containerPort"].as_int();
    }
    return 0;
  };
  const std::int64_t found = search(pod["spec"]["containers"], false);
  return found != 0 ? found : search(pod["spec"]["initContainers"], true);
}

std::string_view hostname_under(const Value& service, const Value& pod) {
  if (pod["spec"]["subdomain"].as_string() != model::name_of(service) ||
      model::namespace_of(service) != model::namespace_of(pod))
    return {};
  return pod["spec"]["hostname"].as_string();
}

}  // namespace keelson::control
