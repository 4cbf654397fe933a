// Services and Endpoints.
#include "codec/json.h"
#include "model/scheme.h"
#include "model/validation/endpoints.h"
#include "model/validation/rules.h"
#include "model/validation/statuses.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

bool is_headless(const Value& spec) {
  return spec["clusterIPs"].size() == 1 && spec["clusterIPs"][0].as_string() == "None";
}
bool is_external(const Value& spec) {
  const std::string_view type = text_of(spec, "type");
  return type == "LoadBalancer" || type == "NodePort" ||
         (type == "ClusterIP" && !spec["externalIPs"].empty());
}
bool needs_health_check(const Value& spec) {
  return text_of(spec, "type") == "LoadBalancer" &&
         text_of(spec, "externalTrafficPolicy") == "Local";
}

void check_type(const Value& spec, FieldErrors& errors) {
  const std::string type = spec["type"].str();
  const Path addresses = spec_path().child("clusterIPs");
  if (type == "LoadBalancer" || type == "NodePort") {
    if (is_headless(spec))
      errors.invalid(addresses.index(0), "None",
                     "may not be set to 'None' for " + type + " services");
    return;
  }
  if (type != "ExternalName") return;
  for (const char* field : {"clusterIPs", "ipFamilies", "ipFamilyPolicy"})
    if (!spec[field].is_null())
      errors.forbidden(spec_path().child(field), "may not be set for ExternalName services");
  std::string name = spec["externalName"].str();
  if (!name.empty() && name.back() == '.') name.pop_back();
  if (name.empty())
    errors.required(spec_path().child("externalName"));
  else
    errors.invalid_each(spec_path().child("externalName"), name, dns1123_subdomain_messages(name));
}

void check_service_ports(const Value& spec, FieldErrors& errors) {
  const Path ports = spec_path().child("ports");
  std::set<std::string> names;
  for (std::size_t i = 0; i < spec["ports"].size(); ++i) {
    const Value& port = spec["ports"][i];
    const Path at = ports.index(i);
    const std::string name = port["name"].str();
    if (name.empty() && spec["ports"].size() > 1) {
      errors.required(at.child("name"));
    } else if (!name.empty()) {
      errors.invalid_each(at.child("name"), name, dns1123_label_messages(name));
      if (!names.insert(name).second) errors.duplicate(at.child("name"), name);
    }
    check_port(at.child("port"), port["port"], errors);
    check_one_of(at.child("protocol"), port["protocol"], {"SCTP", "TCP", "UDP"}, errors);
    check_port_number_or_name(at.child("targetPort"), port["targetPort"], errors);
    if (!port["appProtocol"].is_null())
      check_qualified_name(at.child("appProtocol"), text_of(port, "appProtocol"), errors);
  }
}

void check_affinity(const Value& spec, FieldErrors& errors) {
  const Path affinity = spec_path().child("sessionAffinity");
  check_one_of(affinity, spec["sessionAffinity"], {"ClientIP", "None"}, errors);
  const Path at = spec_path().child("sessionAffinityConfig");
  const Value& config = spec["sessionAffinityConfig"];
  if (text_of(spec, "sessionAffinity") == "None") {
    if (!config.is_null()) errors.forbidden(at, "must not be set when session affinity is None");
    return;
  }
  if (text_of(spec, "sessionAffinity") != "ClientIP") return;
  const Value& timeout = config["clientIP"]["timeoutSeconds"];
  if (timeout.is_null())
    errors.required(at, "when session affinity type is ClientIP");
  else if (timeout.as_int() <= 0 || timeout.as_int() > 86400)
    errors.invalid(at.child("clientIP.timeoutSeconds"), timeout,
                   "must be greater than 0 and less than 86400");
}

void check_address_families(const Value& spec, FieldErrors& errors) {
  const Path families = spec_path().child("ipFamilies");
  std::set<std::string> seen;
  for (std::size_t i = 0; i < spec["ipFamilies"].size(); ++i) {
    const std::string family = spec["ipFamilies"][i].str();
    check_supported(families.index(i), family, {"IPv4", "IPv6"}, errors);
    if (!seen.insert(family).second) errors.duplicate(families.index(i), family);
  }
  if (!spec["ipFamilyPolicy"].is_null())
    check_supported(spec_path().child("ipFamilyPolicy"), spec["ipFamilyPolicy"],
                    {"PreferDualStack", "RequireDualStack", "SingleStack"}, errors);
}

void check_cluster_addresses(const Value& spec, FieldErrors& errors) {
  if (text_of(spec, "type") == "ExternalName") return;
  const Path path = spec_path().child("clusterIPs");
  const Value& all = spec["clusterIPs"];
  const std::string_view first = text_of(spec, "clusterIP");
  if (!first.empty()) {
    if (all.empty())
      errors.required(path);
    else if (all[0].as_string() != first)
      errors.invalid(path, all, "first value must match `clusterIP`");
  } else if (!all.empty()) {
    errors.invalid(path, all, "must be empty when `clusterIP` is not specified");
  }
  check_address_families(spec, errors);
  const std::size_t before = errors.size();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i == 0 && all[i].as_string() == "None") {
      if (all.size() > 1) errors.invalid(path, all, "'None' must be the first and only value");
      continue;
    }
    check_ip(path.index(i), all[i].as_string(), errors);
  }
  const bool bad = errors.size() > before;
  if (all.size() > 2) errors.invalid(path, all, "may only hold up to 2 values");
  if (bad) return;
  if (all.size() > 1) {
    bool four = false, six = false;
    for (const Value& ip : all.elements()) (is_ipv4(ip.as_string()) ? four : six) = true;
    if (!four || !six)
      errors.invalid(path, all, "may specify no more than one IP for each IP family");
  }
  if (is_headless(spec)) return;
  for (std::size_t i = 0; i < all.size() && i < spec["ipFamilies"].size(); ++i) {
    const std::string family = spec["ipFamilies"][i].str();
    const bool four = is_ipv4(all[i].as_string());
    if ((family == "IPv4" && !four) || (family == "IPv6" && four))
      errors.invalid(path.index(i), all[i],
                     "expected an " + family + " value as indicated by `ipFamilies[" +
                         std::to_string(i) + "]`");
  }
}

void check_clashes(const Value& spec, FieldErrors& errors) {
  const Path ports = spec_path().child("ports");
  if (text_of(spec, "type") == "ClusterIP")
    for (std::size_t i = 0; i < spec["ports"].size(); ++i) {
      const Path at = ports.index(i);
      if (spec["ports"][i]["nodePort"].as_int() != 0)
        errors.forbidden(at.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
    }
  std::set<std::pair<std::string, std::int64_t>> node, plain;
  for (std::size_t i = 0; i < spec["ports"].size(); ++i) {
    const Value& port = spec["ports"][i];
    const Path at = ports.index(i);
    const auto number = port["nodePort"].as_int();
    if (number != 0 && !node.emplace(port["protocol"].str(), number).second)
      errors.duplicate(at.child("nodePort"), number);
  }
  for (std::size_t i = 0; i < spec["ports"].size(); ++i) {
    const Value& port = spec["ports"][i];
    if (plain.emplace(port["protocol"].str(), port["port"].as_int()).second) continue;
    FieldError error{FieldError::Type::duplicate, ports.index(i).text(), {}, {}, {}};
    error.printed = "{\"Name\":\"\",\"Protocol\":" + codec::to_json(port["protocol"]) +
                    ",\"AppProtocol\":null,\"Port\":" + codec::to_json(port["port"]) +
                    ",\"TargetPort\":0,\"NodePort\":0}";
    errors.add(std::move(error));
  }
}

void check_source_ranges(const Value& service, FieldErrors& errors) {
  constexpr std::string_view key = "service.beta.kubernetes.io/load-balancer-source-ranges";
  constexpr std::string_view detail = "may only be used when `type` is 'LoadBalancer'";
  const Value& spec = service["spec"];
  const bool balancer = text_of(spec, "type") == "LoadBalancer";
  if (!spec["loadBalancerSourceRanges"].empty()) {
    const Path path = spec_path().child("LoadBalancerSourceRanges");
    if (!balancer) errors.forbidden(path, detail);
    for (std::size_t i = 0; i < spec["loadBalancerSourceRanges"].size(); ++i)
      check_cidr(path.index(i), trim(spec["loadBalancerSourceRanges"][i].as_string()), errors);
  } else if (const Value* ranges = service["metadata"]["annotations"].find(key)) {
    const Path annotations("metadata.annotations");
    const Path path = annotations.key(key);
    if (!balancer) errors.forbidden(path, detail);
    const std::string text(trim(ranges->as_string()));
    if (text.empty()) return;
    for (const std::string& range : split(text, ',')) check_cidr(path, trim(range), errors);
  }
}

void check_balancer(const Value& spec, FieldErrors& errors) {
  constexpr std::string_view detail = "may only be used when `type` is 'LoadBalancer'";
  const bool balancer = text_of(spec, "type") == "LoadBalancer";
  const Value& allocate = spec["allocateLoadBalancerNodePorts"];
  if (!allocate.is_null() && !balancer)
    errors.forbidden(spec_path().child("allocateLoadBalancerNodePorts"), detail);
  const Value& load_class = spec["loadBalancerClass"];
  if (load_class.is_null()) return;
  const Path path = spec_path().child("loadBalancerClass");
  if (balancer)
    check_qualified_name(path, load_class.as_string(), errors);
  else
    errors.forbidden(path, detail);
}

void check_traffic(const Value& spec, FieldErrors& errors) {
  const Path external = spec_path().child("externalTrafficPolicy");
  if (is_external(spec))
    check_one_of(external, spec["externalTrafficPolicy"], {"Cluster", "Local"}, errors);
  else if (!empty_text(spec["externalTrafficPolicy"]))
    errors.invalid(external, spec["externalTrafficPolicy"],
                   "may only be set for externally-accessible services");
  // A missing port for health checks is allocated after this.
  const auto port = spec["healthCheckNodePort"].as_int();
  const Path health = spec_path().child("healthCheckNodePort");
  if (port != 0) {
    if (needs_health_check(spec))
      errors.invalid_each(health, port, port_number_messages(port));
    else
      errors.invalid(health, port,
                     "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` "
                     "is 'Local'");
  }
  const Value& internal = spec["internalTrafficPolicy"];
  const Path path = spec_path().child("internalTrafficPolicy");
  const std::string_view type = text_of(spec, "type");
  if (internal.is_null()) {
    if (type == "NodePort" || type == "LoadBalancer" || type == "ClusterIP") errors.required(path);
  } else {
    check_supported(path, internal, {"Cluster", "Local"}, errors);
  }
  if (!spec["trafficDistribution"].is_null())
    check_supported(spec_path().child("trafficDistribution"), spec["trafficDistribution"],
                    {"PreferClose", "PreferSameZone", "PreferSameNode"}, errors);
}

void check_service(const Value& service, FieldErrors& errors) {
  const Value& spec = service["spec"];
  const Value& annotations = service["metadata"]["annotations"];
  const Value* hints = annotations.find("service.kubernetes.io/topology-aware-hints");
  const Value* mode = annotations.find("service.kubernetes.io/topology-mode");
  if (hints != nullptr && mode != nullptr && !(*hints == *mode)) {
    const Path path("metadata.annotations");
    errors.invalid(path.key("service.kubernetes.io/topology-mode"), *mode,
                   "must match annotations[service.kubernetes.io/topology-aware-hints] when both "
                   "are specified");
  }
  if (spec["ports"].empty() && !is_headless(spec) && text_of(spec, "type") != "ExternalName")
    errors.required(spec_path().child("ports"));
  check_type(spec, errors);
  check_service_ports(spec, errors);
  check_labels(spec_path().child("selector"), spec["selector"], errors);
  check_affinity(spec, errors);
  check_cluster_addresses(spec, errors);
  const Path external = spec_path().child("externalIPs");
  for (std::size_t i = 0; i < spec["externalIPs"].size(); ++i) {
    const std::size_t before = errors.size();
    check_ip(external.index(i), spec["externalIPs"][i].as_string(), errors);
    if (errors.size() == before)
      check_endpoint_ip(external.index(i), spec["externalIPs"][i].as_string(), errors);
  }
  check_one_of(spec_path().child("type"), spec["type"],
               {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"}, errors);
  check_clashes(spec, errors);
  check_source_ranges(service, errors);
  check_balancer(spec, errors);
  check_traffic(spec, errors);
}

// A list that may grow and shrink at its end but keeps its first element.
void check_kept(const Value& spec, const Value& old, const char* list, std::string_view unset,
                std::string_view releasing, FieldErrors& errors) {
  const Path path = spec_path().child(list);
  const Value& now = spec[list];
  const Value& before = old[list];
  const bool addresses = std::string_view(list) == "clusterIPs";
  constexpr std::string_view changed = "may not change once set";
  if (now.size() == before.size()) {
    for (std::size_t i = 0; i < now.size(); ++i)
      if (!(now[i] == before[i])) errors.invalid(path.index(addresses ? i : 0), now, changed);
    return;
  }
  if (before.size() > now.size() && spec["clusterIPs"].empty())
    errors.invalid(path.index(0), now, unset);
  if (!before.empty() && !now.empty() && !(now[0] == before[0]))
    errors.invalid(path.index(0), spec["clusterIPs"], changed);
  if (before.size() > now.size() && now.size() == 1 &&
      text_of(spec, "ipFamilyPolicy") != "SingleStack")
    errors.invalid(spec_path().child("ipFamilyPolicy"), spec["ipFamilyPolicy"], releasing);
}

void update_service(const Value& service, const Value& old_service, FieldErrors& errors) {
  const Value& spec = service["spec"];
  const Value& old = old_service["spec"];
  const bool external =
      text_of(spec, "type") == "ExternalName" || text_of(old, "type") == "ExternalName";
  if (!external && !(is_headless(spec) && is_headless(old)))
    check_kept(spec, old, "clusterIPs", "primary clusterIP can not be unset",
               "must be set to 'SingleStack' when releasing the secondary clusterIP", errors);
  if (!external && !is_headless(spec) && !is_headless(old))
    check_kept(spec, old, "ipFamilies", "primary ipFamily can not be unset",
               "must be set to 'SingleStack' when releasing the secondary ipFamily", errors);
  const bool balancers =
      text_of(spec, "type") == "LoadBalancer" && text_of(old, "type") == "LoadBalancer";
  const Path load_class = spec_path().child("loadBalancerClass");
  if (balancers && !(spec["loadBalancerClass"] == old["loadBalancerClass"]))
    errors.invalid(load_class, spec["loadBalancerClass"], "may not change once set");
  if (!spec["loadBalancerClass"].is_null()) {
    if (text_of(spec, "type") == "LoadBalancer")
      check_qualified_name(load_class, text_of(spec, "loadBalancerClass"), errors);
    else
      errors.forbidden(load_class, "may only be used when `type` is 'LoadBalancer'");
  }
  if (needs_health_check(spec) && needs_health_check(old) &&
      spec["healthCheckNodePort"].as_int() != old["healthCheckNodePort"].as_int())
    errors.forbidden(spec_path().child("healthCheckNodePort"), kImmutable);
  check_service(service, errors);
}

void check_endpoint_address(const Path& path, const Value& address, FieldErrors& errors) {
  check_ip(path.child("ip"), text_of(address, "ip"), errors);
  if (!empty_text(address["hostname"]))
    errors.invalid_each(path.child("hostname"), address["hostname"],
                        dns1123_label_messages(text_of(address, "hostname")));
  if (!address["nodeName"].is_null())
    check_name(path.child("nodeName"), text_of(address, "nodeName"), subdomain_name, errors);
  check_endpoint_ip(path.child("ip"), text_of(address, "ip"), errors);
}

void check_subset(const Path& path, const Value& subset, FieldErrors& errors) {
  if (subset["addresses"].empty() && subset["notReadyAddresses"].empty())
    errors.required(path, "must specify `addresses` or `notReadyAddresses`");
  for (const char* list : {"addresses", "notReadyAddresses"}) {
    const Path all = path.child(list);
    for (std::size_t i = 0; i < subset[list].size(); ++i)
      check_endpoint_address(all.index(i), subset[list][i], errors);
  }
  const Path ports = path.child("ports");
  for (std::size_t i = 0; i < subset["ports"].size(); ++i) {
    const Value& port = subset["ports"][i];
    const Path at = ports.index(i);
    if (empty_text(port["name"])) {
      if (subset["ports"].size() > 1) errors.required(at.child("name"));
    } else {
      errors.invalid_each(at.child("name"), port["name"],
                          dns1123_label_messages(text_of(port, "name")));
    }
    check_port(at.child("port"), port["port"], errors);
    check_one_of(at.child("protocol"), port["protocol"], {"SCTP", "TCP", "UDP"}, errors);
    if (!port["appProtocol"].is_null())
      check_qualified_name(at.child("appProtocol"), text_of(port, "appProtocol"), errors);
  }
}

void check_endpoints(const Value& object, FieldErrors& errors) {
  constexpr std::string_view key = "endpoints.kubernetes.io/last-change-trigger-time";
  if (const Value* time = object["metadata"]["annotations"].find(key);
      time != nullptr && !parse_rfc3339(time->as_string())) {
    const Path path("annotations");
    errors.invalid(path.child(key), *time, "must be a valid RFC3339 timestamp");
  }
  const Path subsets("subsets");
  for (std::size_t i = 0; i < object["subsets"].size(); ++i)
    check_subset(subsets.index(i), object["subsets"][i], errors);
}

}  // namespace

void check_endpoint_ip(const Path& path, std::string_view text, FieldErrors& errors) {
  const auto groups = ip_groups(text);
  if (groups.empty()) {
    errors.invalid(path, text, "must be a valid IP address");
    return;
  }
  const bool four = groups.size() == 2;
  bool zero = true;
  for (std::size_t i = 0; i + 1 < groups.size(); ++i) zero = zero && groups[i] == 0;
  if (zero && groups.back() == 0)
    errors.invalid(path, text, "may not be unspecified (" + std::string(text) + ")");
  if (four ? groups[0] >> 8 == 127 : zero && groups.back() == 1)
    errors.invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
  if (four ? groups[0] == 0xa9fe : (groups[0] & 0xffc0) == 0xfe80)
    errors.invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  if (four ? groups[0] == 0xe000 && groups[1] >> 8 == 0 : (groups[0] & 0xff0f) == 0xff02)
    errors.invalid(path, text,
                   "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

FieldErrors validate_service_addresses(const Value& service) {
  FieldErrors errors;
  check_cluster_addresses(service["spec"], errors);
  return errors;
}

std::vector<KindRules> service_rules() {
  return {
      {.resource = "services",
       .name = label_name,
       .create = check_service,
       .update = update_service,
       .status = status_service,
       .recheck = Recheck::none},
      {.resource = "endpoints", .create = check_endpoints, .recheck = Recheck::all},
  };
}

}  // namespace keelson::model
