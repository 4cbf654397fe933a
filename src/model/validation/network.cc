// pkg/apis/networking/validation, pkg/apis/discovery/validation.
#include <algorithm>

#include "codec/json.h"
#include "model/go_print.h"
#include "model/validation/endpoints.h"
#include "model/validation/rules.h"
#include "model/validation/statuses.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

void check_policy_port(const Path& path, const Value& port, FieldErrors& errors) {
  check_supported(path.child("protocol"), port["protocol"], {"TCP", "UDP", "SCTP"}, errors);
  const Value &first = port["port"], &last = port["endPort"];
  const Path end = path.child("endPort");
  if (first.is_null()) {
    if (!last.is_null())
      errors.invalid(end, last, "may not be specified when `port` is not specified");
  } else if (first.is_number()) {
    check_port(path.child("port"), first, errors);
    if (last.is_null()) return;
    if (last.as_int() < first.as_int())
      errors.invalid(end, first, "must be greater than or equal to `port`");
    check_port(end, last, errors);
  } else {
    if (!last.is_null())
      errors.invalid(end, last, "may not be specified when `port` is non-numeric");
    errors.invalid_each(path.child("port"), first, port_name_messages(first.as_string()));
  }
}

std::int64_t prefix_of(std::string_view cidr) {
  return parse_int(cidr.substr(cidr.find('/') + 1)).value_or(0);
}

bool is_within(std::string_view inner, std::string_view outer) {
  const auto a = ip_groups(inner.substr(0, inner.find('/')));
  const auto b = ip_groups(outer.substr(0, outer.find('/')));
  if (a.size() != b.size() || a.empty()) return false;
  const auto bits = static_cast<std::size_t>(prefix_of(outer));
  for (std::size_t i = 0; i < bits; ++i)
    if ((a[i / 16] >> (15 - i % 16) & 1) != (b[i / 16] >> (15 - i % 16) & 1)) return false;
  return true;
}

bool is_sloppy_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && !ip_groups(text.substr(0, slash)).empty() &&
         parse_int(text.substr(slash + 1)).value_or(-1) >= 0 &&
         parse_int(text.substr(slash + 1)).value_or(999) <=
             static_cast<std::int64_t>(16 * ip_groups(text.substr(0, slash)).size());
}

void check_ip_block(const Path& path, const Value& block, FieldErrors& errors) {
  const std::string cidr = block["cidr"].str();
  if (cidr.empty()) {
    errors.required(path.child("cidr"));
    return;
  }
  check_cidr(path.child("cidr"), cidr, errors);
  if (!is_sloppy_cidr(cidr)) return;
  const Path except = path.child("except");
  for (std::size_t i = 0; i < block["except"].size(); ++i) {
    const std::string inner = block["except"][i].str();
    check_cidr(except.index(i), inner, errors);
    if (!is_sloppy_cidr(inner)) continue;
    if (!is_within(inner, cidr) || prefix_of(cidr) >= prefix_of(inner))
      errors.invalid(except.index(i), inner, "must be a strict subset of `cidr`");
  }
}

void check_peer(const Path& path, const Value& peer, FieldErrors& errors) {
  int peers = 0;
  for (const char* selector : {"podSelector", "namespaceSelector"})
    if (!peer[selector].is_null()) {
      ++peers;
      check_label_selector(path.child(selector), peer[selector], errors);
    }
  if (!peer["ipBlock"].is_null()) {
    ++peers;
    check_ip_block(path.child("ipBlock"), peer["ipBlock"], errors);
  }
  if (peers == 0)
    errors.required(path, "must specify a peer");
  else if (peers > 1 && !peer["ipBlock"].is_null())
    errors.forbidden(path, "may not specify both ipBlock and another peer");
}

void check_network_policy(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  check_label_selector(spec_path().child("podSelector"), spec["podSelector"], errors);
  for (const auto& [direction, peers] : {std::pair("ingress", "from"), std::pair("egress", "to")}) {
    const Path rules = spec_path().child(direction);
    for (std::size_t i = 0; i < spec[direction].size(); ++i) {
      const Value& rule = spec[direction][i];
      const Path at = rules.index(i);
      const Path ports = at.child("ports"), from = at.child(peers);
      for (std::size_t p = 0; p < rule["ports"].size(); ++p)
        check_policy_port(ports.index(p), rule["ports"][p], errors);
      for (std::size_t p = 0; p < rule[peers].size(); ++p)
        check_peer(from.index(p), rule[peers][p], errors);
    }
  }
  const Path types = spec_path().child("policyTypes");
  if (spec["policyTypes"].size() > 2) {
    errors.invalid(types, spec["policyTypes"], "may not specify more than two policyTypes");
    return;
  }
  for (std::size_t i = 0; i < spec["policyTypes"].size(); ++i)
    check_supported(types.index(i), spec["policyTypes"][i], {"Ingress", "Egress"}, errors);
}

void check_reference(const Path& path, const Value& reference, FieldErrors& errors) {
  if (!reference["apiGroup"].is_null())
    errors.invalid_each(path.child("apiGroup"), reference["apiGroup"],
                        dns1123_subdomain_messages(text_of(reference, "apiGroup")));
  for (const char* field : {"kind", "name"}) {
    if (empty_text(reference[field]))
      errors.required(path.child(field));
    else
      errors.invalid_each(path.child(field), reference[field],
                          path_segment_messages(text_of(reference, field)));
  }
}

void check_backend(const Path& path, const Value& backend, FieldErrors& errors) {
  const Value &resource = backend["resource"], &service = backend["service"];
  if (!resource.is_null() && !service.is_null()) {
    errors.invalid(path, "", "cannot set both resource and service backends");
    return;
  }
  if (!resource.is_null()) {
    check_reference(path.child("resource"), resource, errors);
    return;
  }
  if (service.is_null()) {
    errors.invalid(path, "", "resource or service backend is required");
    return;
  }
  const Path at = path.child("service");
  if (empty_text(service["name"]))
    errors.required(at.child("name"));
  else
    check_name(at.child("name"), text_of(service, "name"), label_name, errors);
  const std::string_view name = text_of(service["port"], "name");
  const auto number = service["port"]["number"].as_int();
  if (!name.empty() && number != 0)
    errors.invalid(path, "", "cannot set both port name & port number");
  else if (!name.empty())
    errors.invalid_each(at.child("port.name"), name, port_name_messages(name));
  else if (number != 0)
    errors.invalid_each(at.child("port.number"), number, port_number_messages(number));
  else
    errors.required(path, "port name or number is required");
}

void check_http_path(const Path& path, const Value& p, FieldErrors& errors) {
  if (p["pathType"].is_null()) {
    errors.required(path.child("pathType"), "pathType must be specified");
    return;
  }
  const std::string_view type = text_of(p, "pathType"), text = text_of(p, "path");
  const Path at = path.child("path");
  if (type == "Exact" || type == "Prefix") {
    if (text.substr(0, 1) != "/") errors.invalid(at, text, "must be an absolute path");
    for (const std::string_view sequence : {"//", "/./", "/../", "%2f", "%2F"})
      if (text.find(sequence) != std::string_view::npos)
        errors.invalid(at, text, "must not contain '" + std::string(sequence) + "'");
    for (const std::string_view suffix : {"/..", "/."})
      if (text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix)
        errors.invalid(at, text, "cannot end with '" + std::string(suffix) + "'");
  } else if (type == "ImplementationSpecific") {
    if (!text.empty() && text[0] != '/') errors.invalid(at, text, "must be an absolute path");
  } else {
    errors.not_supported(path.child("pathType"), type,
                         {"Exact", "ImplementationSpecific", "Prefix"});
  }
  check_backend(path.child("backend"), p["backend"], errors);
}

Messages host_messages(std::string_view host) {
  return host.find('*') == std::string_view::npos ? dns1123_subdomain_messages(host)
                                                  : wildcard_dns1123_subdomain_messages(host);
}

void check_ingress_spec(const Value& spec, FieldErrors& errors) {
  if (spec["rules"].empty() && spec["defaultBackend"].is_null())
    errors.invalid(spec_path(), spec["rules"],
                   "either `defaultBackend` or `rules` must be specified");
  if (!spec["defaultBackend"].is_null())
    check_backend(spec_path().child("defaultBackend"), spec["defaultBackend"], errors);
  const Path rules = spec_path().child("rules"), tls = spec_path().child("tls");
  for (std::size_t i = 0; i < spec["rules"].size(); ++i) {
    const Value& rule = spec["rules"][i];
    const Path at = rules.index(i);
    if (const std::string_view host = text_of(rule, "host"); !host.empty()) {
      if (!ip_groups(host).empty())
        errors.invalid(at.child("host"), host, "must be a DNS name, not an IP address");
      errors.invalid_each(at.child("host"), host, host_messages(host));
    }
    if (rule["http"].is_null()) continue;
    const Path paths = at.child("http.paths");
    if (rule["http"]["paths"].empty()) errors.required(paths);
    for (std::size_t p = 0; p < rule["http"]["paths"].size(); ++p)
      check_http_path(paths.index(p), rule["http"]["paths"][p], errors);
  }
  for (std::size_t i = 0; i < spec["tls"].size(); ++i) {
    const Path at = tls.index(i);
    const Path hosts = at.child("hosts");
    for (std::size_t h = 0; h < spec["tls"][i]["hosts"].size(); ++h) {
      const Value& host = spec["tls"][i]["hosts"][h];
      errors.invalid_each(hosts.index(h), host, host_messages(host.as_string()));
    }
    if (const std::string_view secret = text_of(spec["tls"][i], "secretName"); !secret.empty())
      check_name(at.child("secretName"), secret, subdomain_name, errors);
  }
  if (!spec["ingressClassName"].is_null())
    check_name(spec_path().child("ingressClassName"), text_of(spec, "ingressClassName"),
               subdomain_name, errors);
}

void check_ingress(const Value& object, FieldErrors& errors) {
  check_ingress_spec(object["spec"], errors);
  constexpr std::string_view key = "kubernetes.io/ingress.class";
  const Value* annotation = object["metadata"]["annotations"].find(key);
  const Value& name = object["spec"]["ingressClassName"];
  const Path annotations("annotations");
  if (annotation != nullptr && !name.is_null() && !(*annotation == name))
    errors.invalid(annotations.child(key), *annotation,
                   "must match `ingressClassName` when both are specified");
}

void update_ingress(const Value& object, const Value&, FieldErrors& errors) {
  check_kind_metadata(object["metadata"], true, subdomain_name, Path("metadata"), errors);
  check_ingress_spec(object["spec"], errors);
}

void check_ingress_class(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const Path controller = spec_path().child("controller");
  if (text_of(spec, "controller").size() > 250) errors.too_long(controller, 250);
  check_domain_prefixed_path(controller, text_of(spec, "controller"), errors);
  const Value& parameters = spec["parameters"];
  if (parameters.is_null()) return;
  const Path path = spec_path().child("parameters");
  check_reference(path, parameters, errors);
  const Path at = path.child("namespace");
  const std::string_view scope = text_of(parameters, "scope");
  check_supported(path.child("scope"), scope, {"Cluster", "Namespace"}, errors);
  if (scope == "Namespace") {
    if (parameters["namespace"].is_null())
      errors.required(at, "`parameters.scope` is set to 'Namespace'");
    else
      check_name(at, text_of(parameters, "namespace"), label_name, errors);
  }
  if (scope == "Cluster" && !parameters["namespace"].is_null())
    errors.forbidden(at, "`parameters.scope` is set to 'Cluster'");
}

void update_ingress_class(const Value& object, const Value& old, FieldErrors& errors) {
  check_immutable(spec_path().child("controller"), object["spec"]["controller"].str(),
                  old["spec"]["controller"], errors);
  check_kind_metadata(object["metadata"], false, subdomain_name, Path("metadata"), errors);
  check_ingress_class(object, errors);
}

void check_slice_address(const Path& list, std::size_t index, std::string_view type,
                         std::string_view text, FieldErrors& errors) {
  const Path path = list.index(index);
  if (type == "IPv4") {
    check_canonical_ip(path, text, errors);
    if (!ip_groups(text).empty() && ip_groups(text).size() != 2)
      errors.invalid(list, text, "must be an IPv4 address");
    if (!ip_groups(text).empty()) check_endpoint_ip(path, text, errors);
  } else if (type == "IPv6") {
    check_canonical_ip(path, text, errors);
    if (!ip_groups(text).empty() && ip_groups(text).size() != 8)
      errors.invalid(list, text, "must be an IPv6 address");
    if (!ip_groups(text).empty()) check_endpoint_ip(path, text, errors);
  } else if (type == "FQDN") {
    std::string name(text);
    if (name.empty()) {
      errors.required(path);
      return;
    }
    if (name.back() == '.') name.pop_back();
    if (const Messages messages = dns1123_subdomain_messages(name); !messages.empty())
      errors.invalid(path, name, join(messages, ","));
    else if (name.find('.') == std::string::npos)
      errors.invalid(path, name, "should be a domain with at least two segments separated by dots");
  }
}

void check_slice_endpoint(const Path& path, std::string_view type, const Value& endpoint,
                          FieldErrors& errors) {
  const Path addresses = path.child("addresses");
  if (endpoint["addresses"].empty())
    errors.required(addresses, "must contain at least 1 address");
  else if (endpoint["addresses"].size() > 100)
    errors.too_many(addresses, static_cast<std::int64_t>(endpoint["addresses"].size()), 100);
  for (std::size_t i = 0; i < endpoint["addresses"].size(); ++i)
    check_slice_address(addresses, i, type, endpoint["addresses"][i].as_string(), errors);
  if (!endpoint["nodeName"].is_null())
    check_name(path.child("nodeName"), text_of(endpoint, "nodeName"), subdomain_name, errors);
  const Path topology = path.child("deprecatedTopology");
  check_labels(topology, endpoint["deprecatedTopology"], errors);
  if (endpoint["deprecatedTopology"].has("topology.kubernetes.io/zone"))
    errors.invalid(topology.key("topology.kubernetes.io/zone"),
                   endpoint["deprecatedTopology"]["topology.kubernetes.io/zone"],
                   "may not be set, use zone field");
  if (!endpoint["hostname"].is_null())
    errors.invalid_each(path.child("hostname"), endpoint["hostname"],
                        dns1123_label_messages(text_of(endpoint, "hostname")));
  const Path hints = path.child("hints");
  for (const auto& [list, limit] : {std::pair("forZones", 8), std::pair("forNodes", 8)}) {
    const Path all = hints.child(list);
    const Value& names = endpoint["hints"][list];
    if (names.size() > static_cast<std::size_t>(limit)) {
      errors.too_many(all, static_cast<std::int64_t>(names.size()), limit);
      continue;
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const Path item = all.index(i);
      const Path at = item.child("name");
      const std::string name = names[i]["name"].str();
      if (!seen.insert(name).second) errors.duplicate(at, name);
      if (std::string_view(list) == "forZones")
        errors.invalid_each(at, name, label_value_messages(name));
      else
        check_name(at, name, subdomain_name, errors);
    }
  }
}

void check_slice_against(const Value& object, const Value& old, FieldErrors& errors) {
  const Path type("addressType");
  const std::string address_type = object["addressType"].str();
  check_one_of(type, object["addressType"], {"FQDN", "IPv4", "IPv6"}, errors);
  const Path endpoints("endpoints"), ports("ports");
  if (object["ports"].size() > 20000) {
    errors.too_many(ports, static_cast<std::int64_t>(object["ports"].size()), 20000);
  }
  std::set<std::string> names;
  for (std::size_t i = 0; object["ports"].size() <= 20000 && i < object["ports"].size(); ++i) {
    const Value& port = object["ports"][i];
    const Path at = ports.index(i);
    const std::string name = port["name"].str();
    if (!name.empty()) errors.invalid_each(at.child("name"), name, dns1123_label_messages(name));
    if (!names.insert(name).second) errors.duplicate(at.child("name"), name);
    if (port["protocol"].is_null())
      errors.required(at.child("protocol"));
    else
      check_supported(at.child("protocol"), port["protocol"], {"SCTP", "TCP", "UDP"}, errors);
    if (!port["appProtocol"].is_null())
      check_qualified_name(at.child("appProtocol"), text_of(port, "appProtocol"), errors);
  }
  // Endpoints that were kept once may stay as they are.
  if (!old.is_null() && object["endpoints"] == old["endpoints"]) return;
  if (object["endpoints"].size() > 1000)
    errors.too_many(endpoints, static_cast<std::int64_t>(object["endpoints"].size()), 1000);
  else
    for (std::size_t i = 0; i < object["endpoints"].size(); ++i)
      check_slice_endpoint(endpoints.index(i), address_type, object["endpoints"][i], errors);
}

void check_slice(const Value& object, FieldErrors& errors) {
  check_slice_against(object, Value(), errors);
}

void update_slice(const Value& object, const Value& old, FieldErrors& errors) {
  check_kind_metadata(object["metadata"], true, subdomain_name, Path("metadata"), errors);
  check_slice_against(object, old, errors);
  check_immutable(Path("addressType"), object["addressType"], old["addressType"], errors);
}

}  // namespace

void check_domain_prefixed_path(const Path& path, std::string_view text, FieldErrors& errors) {
  if (text.empty()) {
    errors.required(path);
    return;
  }
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size()) {
    errors.invalid(path, text, "must be a domain-prefixed path (such as \"acme.io/foo\")");
    return;
  }
  const std::string_view host = text.substr(0, slash), rest = text.substr(slash + 1);
  errors.invalid_each(path, host, dns1123_subdomain_messages(host));
  constexpr std::string_view extra = "/-._~%!$&'()*+,;=:";
  const bool good = std::all_of(rest.begin(), rest.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           extra.find(c) != std::string_view::npos;
  });
  if (!good)
    errors.invalid(path, rest,
                   "Invalid path (regex used for validation is "
                   "'[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')");
}

std::vector<KindRules> network_rules() {
  return {
      {.resource = "networkpolicies.networking.k8s.io", .create = check_network_policy},
      {.resource = "ingresses.networking.k8s.io",
       .create = check_ingress,
       .update = update_ingress,
       .status = status_ingress,
       .recheck = Recheck::none},
      {.resource = "ingressclasses.networking.k8s.io",
       .create = check_ingress_class,
       .update = update_ingress_class,
       .recheck = Recheck::none},
      {.resource = "endpointslices.discovery.k8s.io",
       .create = check_slice,
       .update = update_slice,
       .recheck = Recheck::custom},
  };
}

}  // namespace keelson::model
