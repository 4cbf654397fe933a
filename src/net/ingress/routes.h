// RoutePlan: what the Ingresses of our classes ask for, as tables: pure. An older Ingress wins
// where two claim the same host and path, as in ingress-nginx.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "net/directory.h"

namespace keelson::net {

// Of one Ingress, from its nginx.ingress.kubernetes.io annotations.
struct IngressSettings {
  std::int64_t limit_rps = 0, limit_rpm = 0, limit_connections = 0;  // 0: none
  std::int64_t limit_burst = 5;                                      // times the rate
  std::vector<std::string> limit_except;                             // CIDRs
  std::vector<std::string> source_ranges;                            // CIDRs; empty: everybody
  bool redirect = true;                                              // to HTTPS, for hosts with TLS
  bool redirect_always = false;
  bool affinity = false;
  std::string affinity_cookie = "INGRESSCOOKIE";
  Duration connect_timeout = Duration::seconds(5);
  Duration read_timeout = Duration::seconds(60), send_timeout = Duration::seconds(60);
  std::int64_t body_max = 0;   // bytes; 0: no limit
  bool tls_backend = false;    // backend-protocol: HTTPS
  bool http2_backend = false;  // backend-protocol: GRPC
};

struct RouteBackend {
  Key ingress, service;
  // The Service's port; nullopt while the Service or the port does not exist.
  std::optional<ServicePort> port;
  bool operator==(const RouteBackend& other) const {
    return ingress == other.ingress && service == other.service;
  }
};

struct ServedIngress {
  IngressSettings settings;
  std::set<std::string> tls_hosts;
  bool tls_everywhere = false;  // a tls entry without hosts
};

struct WantedCertificate {
  Key secret;  // empty name: the default certificate
  std::vector<std::string> hosts;
  bool operator==(const WantedCertificate&) const = default;
};

struct RoutePlan {
  // "HOST|PATH" -> backend. HOST is a name, "*.name" or "*" for any; a path of `prefix` ends with
  // a slash.
  std::map<std::string, std::string> exact, prefix;
  std::map<std::string, RouteBackend> backends;
  std::map<Key, ServedIngress> ingresses;
  std::vector<WantedCertificate> certificates;
  std::string default_backend;  // empty: 404
  std::map<Key, std::vector<std::string>> complaints;
};

RoutePlan plan_routes(const std::vector<Value>& ingresses, const std::vector<Value>& classes,
                      const Directory& directory);
// Whether one of these classes, which we serve, is the Ingress's.
bool is_served(const Value& ingress, const std::vector<Value>& classes);
// The IngressClass of an engine that was given none: it serves every Ingress that names no other.
Value own_ingress_class();

}  // namespace keelson::net
