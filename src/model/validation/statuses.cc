#include "model/validation/statuses.h"

#include <algorithm>
#include <cctype>

namespace keelson::model {
namespace {

void check_metadata_change(const Value& object, const Value& old, FieldErrors& errors) {
  check_kind_metadata_update(object["metadata"], old["metadata"], Path("metadata"), errors);
}

// An address that was there already may be malformed.
void check_new_ip(const Path& path, const Value& ip, const Value& before, FieldErrors& errors) {
  const auto& had = before.elements();
  if (std::none_of(had.begin(), had.end(), [&](const Value& one) { return one["ip"] == ip; }))
    check_ip(path, ip.as_string(), errors);
}

void check_host_name(const Path& path, const Value& host, FieldErrors& errors) {
  if (empty_text(host)) return;
  errors.invalid_each(path, host, dns1123_subdomain_messages(host.as_string()));
  if (!ip_groups(host.as_string()).empty())
    errors.invalid(path, host, "must be a DNS name, not an IP address");
}

void check_balancer(const Path& path, const Value& status, const Value& before, bool has_mode,
                    FieldErrors& errors) {
  const Path list = path.child("ingress");
  for (std::size_t i = 0; i < status["ingress"].size(); ++i) {
    const Value& one = status["ingress"][i];
    const Path at = list.index(i), mode = at.child("ipMode");
    const bool has_ip = !empty_text(one["ip"]);
    if (has_ip) check_new_ip(at.child("ip"), one["ip"], before["ingress"], errors);
    if (has_mode) {
      if (one["ipMode"].is_null()) {
        if (has_ip) errors.required(mode, "must be specified when `ip` is set");
      } else if (!has_ip) {
        errors.forbidden(mode, "may not be specified when `ip` is not set");
      } else {
        check_supported(mode, one["ipMode"], {"Proxy", "VIP"}, errors);
      }
    }
    check_host_name(at.child("hostname"), one["hostname"], errors);
  }
}

const Path& balancer_path() {
  static const Path status("status");
  static const Path path = status.child("loadBalancer");
  return path;
}

void check_claim_resource(const Path& path, std::string_view name, FieldErrors& errors) {
  check_qualified_name(path, name, errors);
  if (name.find('/') == std::string_view::npos && name != "storage")
    errors.not_supported(path, name, {"storage"});
}

}  // namespace

void status_service(const Value& object, const Value& old, FieldErrors& errors) {
  check_metadata_change(object, old, errors);
  const Value& status = object["status"]["loadBalancer"];
  if (text_of(object["spec"], "type") != "LoadBalancer" && !status["ingress"].empty())
    errors.forbidden(balancer_path().child("ingress"),
                     "may only be used when `spec.type` is 'LoadBalancer'");
  else
    check_balancer(balancer_path(), status, old["status"]["loadBalancer"], true, errors);
}

void status_ingress(const Value& object, const Value& old, FieldErrors& errors) {
  check_metadata_change(object, old, errors);
  check_balancer(balancer_path(), object["status"]["loadBalancer"], old["status"]["loadBalancer"],
                 false, errors);
}

void status_claim(const Value& object, const Value& old, FieldErrors& errors) {
  check_metadata_change(object, old, errors);
  const Value& status = object["status"];
  const Path path("status"), capacity = path.child("capacity"),
                             states = path.child("allocatedResourceStatuses"),
                             allocated = path.child("allocatedResources");
  if (object["spec"]["accessModes"].empty()) errors.required(Path("Spec.accessModes"));
  for (const codec::Member& m : status["capacity"].members())
    check_quantity_not_negative(capacity.key(m.key()), m.value, errors);
  for (const codec::Member& m : status["allocatedResourceStatuses"].members()) {
    check_claim_resource(states, m.key(), errors);
    const std::initializer_list<std::string_view> all = {
        "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress",
        "NodeResizeInfeasible", "NodeResizePending"};
    if (!is_one_of(m.value.as_string(), all)) errors.not_supported(states, m.key_value, all);
  }
  for (const codec::Member& m : status["allocatedResources"].members()) {
    const std::size_t before = errors.size();
    check_claim_resource(allocated, m.key(), errors);
    if (errors.size() == before)
      check_quantity_not_negative(allocated.key(m.key()), m.value, errors);
  }
}

namespace {
// [A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?
bool is_condition_reason(std::string_view text) {
  const auto is_word = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  return std::isalpha(static_cast<unsigned char>(text.front())) != 0 &&
         (text.size() == 1 || is_word(static_cast<unsigned char>(text.back()))) &&
         std::all_of(text.begin(), text.end(),
                     [&](unsigned char c) { return is_word(c) || c == ',' || c == ':'; });
}
}  // namespace

void check_standard_conditions(const Path& path, const Value& conditions, FieldErrors& errors) {
  constexpr std::size_t kReasonMax = 1024;
  constexpr std::size_t kMessageMax = 32 * 1024;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const Value& one = conditions[i];
    const Path at = path.index(i);
    if (!seen.insert(one["type"].str()).second) errors.duplicate(at.child("type"), one["type"]);
    check_qualified_name(at.child("type"), text_of(one, "type"), errors);
    check_supported(at.child("status"), one["status"], {"False", "True", "Unknown"}, errors);
    if (one["observedGeneration"].as_int() < 0)
      errors.invalid(at.child("observedGeneration"), one["observedGeneration"],
                     "must be greater than or equal to zero");
    if (empty_text(one["lastTransitionTime"])) errors.required(at.child("lastTransitionTime"));
    const std::string_view reason = text_of(one, "reason");
    if (reason.empty())
      errors.required(at.child("reason"));
    else if (!is_condition_reason(reason))
      errors.invalid(
          at.child("reason"), reason,
          "a condition reason must start with alphabetic character, optionally followed by a "
          "string of alphanumeric characters or '_,:', and must end with an alphanumeric "
          "character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or "
          "'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is "
          "'[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')");
    if (reason.size() > kReasonMax) errors.too_long(at.child("reason"), kReasonMax);
    if (text_of(one, "message").size() > kMessageMax)
      errors.too_long(at.child("message"), kMessageMax);
  }
}

void status_replication_controller(const Value& object, const Value& old, FieldErrors& errors) {
  check_metadata_change(object, old, errors);
  const Value& status = object["status"];
  const Path path("status");
  for (const char* field : {"replicas", "fullyLabeledReplicas", "readyReplicas",
                            "availableReplicas", "observedGeneration"})
    check_not_negative(path.child(field), status[field], errors);
  for (const char* field : {"fullyLabeledReplicas", "readyReplicas", "availableReplicas"})
    if (status[field].as_int() > status["replicas"].as_int())
      errors.invalid(path.child(field), status[field].as_int(),
                     "cannot be greater than status.replicas");
  if (status["availableReplicas"].as_int() > status["readyReplicas"].as_int())
    errors.invalid(path.child("availableReplicas"), status["availableReplicas"].as_int(),
                   "cannot be greater than readyReplicas");
}

}  // namespace keelson::model
