// Certificates to be signed: pkg/apis/certificates/validation.
#include <algorithm>

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
  constexpr std::size_t kLongest = 253 + 1 + 253 + 1 + 63;
  if (signer.size() > kLongest) errors.too_long(path, kLongest);
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

bool has_condition(const Value& object, std::string_view type) {
  const auto& all = object["status"]["conditions"].elements();
  return std::any_of(all.begin(), all.end(),
                     [&](const Value& c) { return text_of(c, "type") == type; });
}

bool repeats_condition(const Value& object) {
  std::set<std::string_view> seen;
  const auto& all = object["status"]["conditions"].elements();
  return !std::all_of(all.begin(), all.end(),
                      [&](const Value& c) { return seen.insert(text_of(c, "type")).second; });
}

// What the stored object is guilty of already is not held against an update.
void check_request_conditions(const Value& object, const Value& old, FieldErrors& errors) {
  const Path status("status");
  const Path path = status.child("conditions");
  const Value& conditions = object["status"]["conditions"];
  const bool may_be_both = has_condition(old, "Approved") && has_condition(old, "Denied");
  const bool may_be_empty = has_condition(old, ""), may_repeat = repeats_condition(old);
  std::set<std::string> seen;
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const std::string type = conditions[i]["type"].str(), value = conditions[i]["status"].str();
    const Path at = path.index(i);
    if (type.empty() && !may_be_empty) errors.required(at.child("type"));
    if (value.empty())
      errors.required(at.child("status"));
    else if (is_one_of(type, {"Approved", "Denied", "Failed"}))
      check_supported(at.child("status"), value, {"True"}, errors);
    else
      check_supported(at.child("status"), value, {"False", "True", "Unknown"}, errors);
    const std::string other = type == "Approved" ? "Denied" : type == "Denied" ? "Approved" : "";
    if (!may_be_both && !other.empty() && seen.count(other) > 0)
      errors.invalid(path, type, "Approved and Denied conditions are mutually exclusive");
    if (!seen.insert(type).second && !may_repeat) errors.duplicate(at.child("type"), type);
  }
}

std::string decoded(const Value& base64) {
  return from_base64(base64.as_string()).value_or("");
}

void check_request(const Value& object, const Value& old, FieldErrors& errors) {
  const Value& spec = object["spec"];
  const Path usages = spec_path().child("usages"), signer = spec_path().child("signerName");
  if (const std::string problem = signing_request_problem(decoded(spec["request"]));
      !problem.empty())
    errors.invalid(spec_path().child("request"), spec["request"], problem);
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
  check_request_conditions(object, old, errors);
  const Value &issued = object["status"]["certificate"], &before = old["status"]["certificate"];
  if ((!old.is_null() && issued == before) || !certificates_problem(decoded(before)).empty())
    return;
  const Path status("status");
  if (const std::string problem = certificates_problem(decoded(issued)); !problem.empty())
    errors.invalid(status.child("certificate"), "<certificate data>", problem);
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

// What the way of the update allows: /approval settles Approved and Denied, /status brings the
// certificate.
struct Allowed {
  bool approval = false, certificate = false;
};

void update_request_with(const Value& object, const Value& old, Allowed allowed,
                         FieldErrors& errors) {
  const Path metadata("metadata"), status("status");
  check_kind_metadata(object["metadata"], false, any_name, metadata, errors);
  check_request(object, old, errors);
  FieldErrors of_metadata;
  check_kind_metadata_update(object["metadata"], old["metadata"], metadata, of_metadata);
  const Path conditions = status.child("conditions");
  const auto refuse = [&](std::string_view verb, const char* type, const std::string& more = {}) {
    errors.forbidden(conditions, "updates may not " + std::string(verb) +
                                     " a condition of type \"" + type + "\"" + more);
  };
  for (const char* type : {"Approved", "Denied", "Failed"})
    if (conditions_of(object, type).size() < conditions_of(old, type).size())
      refuse("remove", type);
  if (!allowed.approval)
    for (const char* type : {"Approved", "Denied"}) {
      const Value now = conditions_of(object, type), before = conditions_of(old, type);
      if (now.size() > before.size())
        refuse("add", type);
      else if (now.size() == before.size() && !(now == before))
        refuse("modify", type,
               "\n" + json_diff(printed_internal_list(kCondition, before),
                                printed_internal_list(kCondition, now)));
    }
  const Value &now = object["status"]["certificate"], &before = old["status"]["certificate"];
  if (!(now == before)) {
    if (!allowed.certificate)
      errors.forbidden(status.child("certificate"), "updates may not set certificate content");
    else if (!before.is_null())
      errors.forbidden(status.child("certificate"),
                       "updates may not modify existing certificate content");
  }
  errors.add(std::move(of_metadata));
}

void update_request(const Value& object, const Value& old, FieldErrors& errors) {
  update_request_with(object, old, {}, errors);
}

void status_request(const Value& object, const Value& old, FieldErrors& errors) {
  update_request_with(object, old, {.certificate = true}, errors);
}

void approve_request(std::string_view subresource, const Value& object, const Value& old,
                     FieldErrors& errors) {
  if (subresource == "approval") update_request_with(object, old, {.approval = true}, errors);
}

}  // namespace

std::vector<KindRules> certificate_rules() {
  return {
      {.resource = "certificatesigningrequests.certificates.k8s.io",
       .name = any_name,
       .create = create_request,
       .update = update_request,
       .status = status_request,
       .recheck = Recheck::custom,
       .part = approve_request},
  };
}

}  // namespace keelson::model
