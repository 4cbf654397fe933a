// What is registered with the cluster: certificates to sign, addresses, aggregated APIs.
#include <algorithm>

#include "codec/json.h"
#include "model/certificates.h"
#include "model/go_diff.h"
#include "model/go_print.h"
#include "model/validation/rules.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

// Certificate signing requests.

std::string base64_decoded(std::string_view text) {
  static constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t digit = alphabet.find(c);
    if (digit == std::string_view::npos) continue;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  return out;
}

void check_signer(const Path& path, const std::string& signer, FieldErrors& errors) {
  if (signer.empty()) {
    errors.required(path);
    return;
  }
  const auto parts = split(signer, '/');
  if (parts.size() != 2) {
    errors.invalid(path, signer,
                   "must be a fully qualified domain and path of the form "
                   "'example.com/signer-name'");
    return;
  }
  const std::string domain(parts[0]), name(parts[1]);
  // Only the first bad label is told of.
  const auto check = [&](const std::string& part, Messages (*messages)(std::string_view)) {
    for (const auto& label : split(part, '.')) {
      const auto found = messages(label);
      for (const std::string& message : found)
        errors.invalid(path, part, "validating label \"" + std::string(label) + "\": " + message);
      if (!found.empty()) return;
    }
  };
  if (domain.size() > 253) errors.too_long(path, 253);
  check(domain, dns1123_label_messages);
  if (domain.find('.') == std::string::npos)
    errors.invalid(path, domain, "should be a domain with at least two segments separated by dots");
  check(name, dns1123_subdomain_messages);
  if (name.size() > 317) errors.too_long(path, 317);
}

const std::initializer_list<std::string_view>& known_usages() {
  static const std::initializer_list<std::string_view> usages = {"any",
                                                                 "cert sign",
                                                                 "client auth",
                                                                 "code signing",
                                                                 "content commitment",
                                                                 "crl sign",
                                                                 "data encipherment",
                                                                 "decipher only",
                                                                 "digital signature",
                                                                 "email protection",
                                                                 "encipher only",
                                                                 "ipsec end system",
                                                                 "ipsec tunnel",
                                                                 "ipsec user",
                                                                 "key agreement",
                                                                 "key encipherment",
                                                                 "microsoft sgc",
                                                                 "netscape sgc",
                                                                 "ocsp signing",
                                                                 "s/mime",
                                                                 "server auth",
                                                                 "signing",
                                                                 "timestamping"};
  return usages;
}

constexpr std::string_view kCondition =
    "io.k8s.api.certificates.v1.CertificateSigningRequestCondition";
constexpr std::string_view kLegacySigner = "kubernetes.io/legacy-unknown";

bool has_repeated(const Value& list) {
  std::set<std::string> seen;
  for (const Value& element : list.elements())
    if (!seen.insert(element.str()).second) return true;
  return false;
}

bool has_unknown_usage(const Value& usages) {
  const auto& all = usages.elements();
  return std::any_of(all.begin(), all.end(),
                     [](const Value& u) { return !is_one_of(u.as_string(), known_usages()); });
}

void check_request_conditions(const Value& object, FieldErrors& errors) {
  const Path status("status");
  const Path path = status.child("conditions");
  const Value& conditions = object["status"]["conditions"];
  std::set<std::string> seen;
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const std::string type = conditions[i]["type"].str(), value = conditions[i]["status"].str();
    const Path at = path.index(i);
    if (type.empty()) errors.required(at.child("type"));
    if (value.empty())
      errors.required(at.child("status"));
    else if (is_one_of(type, {"Approved", "Denied", "Failed"}))
      check_supported(at.child("status"), value, {"True"}, errors);
    else
      check_supported(at.child("status"), value, {"False", "True", "Unknown"}, errors);
    const std::string other = type == "Approved" ? "Denied" : type == "Denied" ? "Approved" : "";
    if (!other.empty() && seen.count(other) > 0)
      errors.invalid(path, type, "Approved and Denied conditions are mutually exclusive");
    if (!seen.insert(type).second) errors.duplicate(at.child("type"), type);
  }
}

void check_request(const Value& object, const Value& old, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const Path usages = spec_path().child("usages"), signer = spec_path().child("signerName");
  if (base64_decoded(spec["request"].as_string()).find("-----BEGIN CERTIFICATE REQUEST-----") ==
      std::string::npos)
    errors.invalid(spec_path().child("request"), spec["request"],
                   "PEM block type must be CERTIFICATE REQUEST");
  if (spec["usages"].empty()) errors.required(usages);
  if (!has_unknown_usage(old["spec"]["usages"]))
    for (std::size_t i = 0; i < spec["usages"].size(); ++i)
      check_supported(usages.index(i), spec["usages"][i], known_usages(), errors);
  std::set<std::string> seen;
  if (!has_repeated(old["spec"]["usages"]))
    for (std::size_t i = 0; i < spec["usages"].size(); ++i)
      if (!seen.insert(spec["usages"][i].str()).second)
        errors.duplicate(usages.index(i), spec["usages"][i]);
  if (text_of(spec, "signerName") == kLegacySigner &&
      text_of(old["spec"], "signerName") != kLegacySigner)
    errors.invalid(signer, spec["signerName"],
                   "the legacy signerName is not allowed via this API version");
  else
    check_signer(signer, spec["signerName"].str(), errors);
  const Value& expiration = spec["expirationSeconds"];
  if (!expiration.is_null() && expiration.as_int() < 600)
    errors.invalid(spec_path().child("expirationSeconds"), expiration,
                   "may not specify a duration less than 600 seconds (10 minutes)");
  check_request_conditions(object, errors);
}

Messages any_name(std::string_view, bool) {
  return {};
}

void create_request(const Value& object, FieldErrors& errors) {
  check_request(object, Value(), errors);
}

// Conditions of one type.
Value conditions_of(const Value& object, std::string_view type) {
  Value found = Value::array();
  for (const Value& condition : object["status"]["conditions"].elements())
    if (text_of(condition, "type") == type) found.push_back(condition);
  return found;
}

// What one way of writing a request may change.
struct RequestRights {
  bool decisions = false, certificate = false;
};

// Only certificates, whole, and nothing but them.
std::string certificate_problem(std::string_view text) {
  if (text.empty()) return {};
  const std::vector<PemBlock> blocks = pem_blocks(text);
  for (const PemBlock& block : blocks)
    if (block.type != "CERTIFICATE")
      return "only CERTIFICATE PEM blocks are allowed, found " + quote(block.type);
  return blocks.empty() ? "must contain at least one CERTIFICATE PEM block" : "";
}

void check_decisions(const Path& conditions, const Value& object, const Value& old,
                     FieldErrors& errors) {
  for (const char* type : {"Approved", "Denied"}) {
    const Value now = conditions_of(object, type), before = conditions_of(old, type);
    if (now.size() > before.size())
      errors.forbidden(conditions,
                       std::string("updates may not add a condition of type \"") + type + '"');
    else if (now.size() == before.size() && !(now == before))
      errors.forbidden(conditions, std::string("updates may not modify a condition of type \"") +
                                       type + "\"\n" +
                                       json_diff(printed_internal_list(kCondition, before),
                                                 printed_internal_list(kCondition, now)));
  }
}

void update_request_with(const Value& object, const Value& old, RequestRights rights,
                         FieldErrors& errors) {
  check_kind_metadata(object["metadata"], false, any_name, Path("metadata"), errors);
  check_request(object, old, errors);
  const Path status("status");
  const Path conditions = status.child("conditions"), certificate = status.child("certificate");
  const Value &now = object["status"]["certificate"], &before = old["status"]["certificate"];
  // What is already stored is tolerated.
  if (!(now == before))
    if (const std::string why = certificate_problem(base64_decoded(now.as_string())); !why.empty())
      errors.invalid(certificate, "<certificate data>", why);
  for (const char* type : {"Approved", "Denied", "Failed"})
    if (conditions_of(object, type).size() < conditions_of(old, type).size())
      errors.forbidden(conditions,
                       std::string("updates may not remove a condition of type \"") + type + '"');
  if (!rights.decisions) check_decisions(conditions, object, old, errors);
  if (now == before) return;
  if (!rights.certificate)
    errors.forbidden(certificate, "updates may not set certificate content");
  else if (!empty_text(before))
    errors.forbidden(certificate, "updates may not modify existing certificate content");
}

void update_request(const Value& object, const Value& old, FieldErrors& errors) {
  update_request_with(object, old, {}, errors);
}

void status_request(const Value& object, const Value& old, FieldErrors& errors) {
  update_request_with(object, old, {.certificate = true}, errors);
}

void approve_request(std::string_view, const Value& object, const Value& old, FieldErrors& errors) {
  update_request_with(object, old, {.decisions = true}, errors);
}

// Addresses.

Messages address_name(std::string_view name, bool) {
  FieldErrors errors;
  check_canonical_ip(Path("name"), name, errors);
  Messages messages;
  for (const FieldError& error : errors.list()) messages.push_back(error.detail);
  return messages;
}

void check_address(const Value& object, FieldErrors& errors) {
  const Value& parent = object["spec"]["parentRef"];
  const Path path = spec_path().child("parentRef");
  if (parent.is_null()) {
    errors.required(path);
    return;
  }
  if (!empty_text(parent["group"]))
    errors.invalid_each(path.child("group"), parent["group"],
                        dns1123_subdomain_messages(text_of(parent, "group")));
  for (const char* field : {"resource", "name", "namespace"}) {
    if (!empty_text(parent[field]))
      errors.invalid_each(path.child(field), parent[field],
                          path_segment_messages(text_of(parent, field)));
    else if (std::string_view(field) != "namespace")
      errors.required(path.child(field));
  }
}

void update_address(const Value& object, const Value& old, FieldErrors& errors) {
  const Value &now = object["spec"]["parentRef"], &before = old["spec"]["parentRef"];
  if (!(now == before))
    errors.invalid_printed(spec_path().child("parentRef"),
                           printed_internal("io.k8s.api.networking.v1.ParentReference", now),
                           kImmutable);
}

void check_service_range(const Value& object, FieldErrors& errors) {
  const Value& ranges = object["spec"]["cidrs"];
  const Path path = spec_path().child("cidrs");
  if (ranges.empty()) {
    errors.required(path, "at least one CIDR required");
    return;
  }
  if (ranges.size() > 2) {
    errors.invalid_printed(
        path, printed_internal("io.k8s.api.networking.v1.ServiceCIDRSpec", object["spec"]),
        "may only hold up to 2 values");
    return;
  }
  for (std::size_t i = 0; i < ranges.size(); ++i)
    check_canonical_cidr(path.index(i), ranges[i].as_string(), errors);
  if (ranges.size() < 2 || !is_cidr(ranges[0].as_string()) || !is_cidr(ranges[1].as_string()))
    return;
  const auto is_v6 = [](const Value& range) {
    return range.as_string().find(':') != std::string_view::npos;
  };
  if (is_v6(ranges[0]) == is_v6(ranges[1]))
    errors.invalid(path, ranges,
                   "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
                   "2001:db8::/64");
}

void update_service_range(const Value& object, const Value& old, FieldErrors& errors) {
  const Value &now = object["spec"]["cidrs"], &before = old["spec"]["cidrs"];
  const Path path = spec_path().child("cidrs");
  if (now.size() == before.size()) {
    for (std::size_t i = 0; i < now.size(); ++i)
      check_immutable(path.index(i), now[i], before[i], errors);
  } else if (now.size() == 2 && before.size() == 1) {
    check_immutable(path.index(0), now[0], before[0], errors);
    check_service_range(object, errors);
  } else {
    errors.invalid(path, now, kImmutable);
  }
}

// Aggregated APIs.

void check_api_service(const Value& object, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const Path metadata("metadata");
  check_metadata(object["metadata"], false, path_segment_name, metadata, errors);
  const std::string name = object["metadata"]["name"].str(), group = spec["group"].str(),
                    version = spec["version"].str();
  const std::string wanted = version + '.' + group;
  if (path_segment_messages(name).empty() && name != wanted)
    errors.invalid(metadata.child("name"), name,
                   "must be `spec.version+\".\"+spec.group`: " + codec::to_json(Value(wanted)));
  if (group.empty() && version != "v1")
    errors.required(spec_path().child("group"),
                    "only v1 may have an empty group and it better be legacy kube");
  if (!group.empty())
    errors.invalid_each(spec_path().child("group"), group, dns1123_subdomain_messages(group));
  errors.invalid_each(spec_path().child("version"), version, dns1035_label_messages(version));
  for (const auto& [field, most] :
       {std::pair("groupPriorityMinimum", 20000), std::pair("versionPriority", 1000)})
    if (const auto priority = spec[field].as_int(); priority <= 0 || priority > most)
      errors.invalid(spec_path().child(field), priority,
                     "must be positive and less than " + std::to_string(most));
  const Path bundle = spec_path().child("caBundle"),
             insecure = spec_path().child("insecureSkipTLSVerify"),
             service = spec_path().child("service");
  const std::size_t size = base64_decoded(spec["caBundle"].as_string()).size();
  const bool skips = spec["insecureSkipTLSVerify"].as_bool();
  if (spec["service"].is_null()) {
    if (size > 0)
      errors.invalid(bundle, std::to_string(size) + " bytes",
                     "local APIServices may not have a caBundle");
    if (skips)
      errors.invalid(insecure, true, "local APIServices may not have insecureSkipTLSVerify");
    return;
  }
  for (const char* field : {"namespace", "name"})
    if (empty_text(spec["service"][field])) errors.required(service.child(field));
  const auto port = spec["service"]["port"].as_int();
  if (const auto messages = port_number_messages(port); !messages.empty())
    errors.invalid(service.child("port"), port, "port is not valid: " + join(messages, ", "));
  if (skips && size > 0) errors.invalid(insecure, true, "may not be true if caBundle is present");
}

void update_api_service(const Value& object, const Value& old, FieldErrors& errors) {
  check_metadata_update(object["metadata"], old["metadata"], Path("metadata"), errors);
  check_api_service(object, errors);
}

void status_api_service(const Value& object, const Value&, FieldErrors& errors) {
  const Path status("status");
  const Path conditions = status.child("conditions");
  const Value& list = object["status"]["conditions"];
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Path at = conditions.index(i);
    check_supported(at.child("status"), list[i]["status"].str(), {"True", "False", "Unknown"},
                    errors);
  }
}

}  // namespace

std::vector<KindRules> registration_rules() {
  return {
      {"certificatesigningrequests.certificates.k8s.io", any_name, create_request, update_request,
       status_request, Recheck::custom, false, approve_request},
      {"ipaddresses.networking.k8s.io", address_name, check_address, update_address, nullptr,
       Recheck::none},
      {"servicecidrs.networking.k8s.io", subdomain_name, check_service_range, update_service_range,
       nullptr, Recheck::none},
      {"apiservices.apiregistration.k8s.io", subdomain_name, check_api_service, update_api_service,
       status_api_service, Recheck::custom, true},
  };
}

}  // namespace keelson::model
