// What may be written of a pod's status: ended containers stay ended unless they may restart,
// addresses are real, conditions are named.
#include <algorithm>

#include "model/go_print.h"
#include "model/validation/pod.h"

namespace keelson::model {
namespace {

const Value& named(const Value& list, const Value& name) {
  static const Value none;
  for (const Value& one : list.elements())
    if (one["name"] == name) return one;
  return none;
}

bool matches_rule(const Value& rule, std::int64_t code) {
  const Value& exits = rule["exitCodes"];
  const auto& values = exits["values"].elements();
  const bool found =
      std::any_of(values.begin(), values.end(), [&](const Value& v) { return v.as_int() == code; });
  const std::string_view op = text_of(exits, "operator");
  return (op == "In" && found) || (op == "NotIn" && !found);
}

bool should_restart(const Value& container, const Value& spec, std::int64_t code) {
  std::string_view policy = text_of(spec, "restartPolicy");
  if (container.has("restartPolicy")) {
    for (const Value& rule : container["restartPolicyRules"].elements())
      if (matches_rule(rule, code)) return true;
    policy = text_of(container, "restartPolicy");
  }
  return policy == "OnFailure" ? code != 0 : policy != "Never";
}

bool all_could_restart(const Value& spec) {
  for (std::string_view list : {"initContainers", "containers"})
    for (const Value& container : spec[list].elements())
      for (const Value& rule : container["restartPolicyRules"].elements())
        if (text_of(rule, "action") == "RestartAllContainers") return true;
  return false;
}

void check_transitions(const Path& path, const Value& now, const Value& before,
                       const Value& containers, const Value& spec, FieldErrors& errors) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Value& ended = before[i]["state"]["terminated"];
    const Value& status = named(now, before[i]["name"]);
    if (ended.is_null() || status.is_null() || status["state"].has("terminated")) continue;
    const Value& container = named(containers, before[i]["name"]);
    if (!container.is_null() && should_restart(container, spec, ended["exitCode"].as_int()))
      continue;
    const Path at = path.index(i);
    errors.forbidden(at.child("state"), "may not be transitioned to non-terminated state");
  }
}

// Claims that were made for the pod carry the names of its spec's entries.
void check_claim_statuses(const Path& path, const Value& statuses, const Value& claims,
                          FieldErrors& errors) {
  Names seen;
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const Value& status = statuses[i];
    const Path at = path.index(i);
    if (named(claims, status["name"]).is_null())
      errors.invalid(at.child("name"), text_of(status, "name"),
                     "must match the name of an entry in `spec.resourceClaims`");
    if (!seen.emplace(text_of(status, "name")).second)
      errors.duplicate(at.child("name"), status["name"]);
    if (!status["resourceClaimName"].is_null())
      errors.invalid_each(at.child("resourceClaimName"), status["resourceClaimName"],
                          dns1123_subdomain_messages(text_of(status, "resourceClaimName")));
  }
}

void check_addresses(const Path& path, const Value& list, const Value& before,
                     FieldErrors& errors) {
  const auto& had = before.elements();
  for (std::size_t i = 0; i < list.size(); ++i)
    if (std::none_of(had.begin(), had.end(),
                     [&](const Value& one) { return one["ip"] == list[i]["ip"]; }))
      check_ip(path.index(i), text_of(list[i], "ip"), errors);
  if (list.size() < 2) return;
  std::size_t fours = 0;
  for (const Value& one : list.elements())
    if (text_of(one, "ip").find(':') == std::string_view::npos) ++fours;
  if (list.size() > 2 || fours != 1)
    errors.invalid_printed(path, printed_internal_list("io.k8s.api.core.v1.PodIP", list),
                           "may specify no more than one IP for each IP family");
}

}  // namespace

void check_pod_status(const Value& pod, const Value& old, FieldErrors& errors) {
  const Path metadata("metadata"), path("status"), conditions = path.child("conditions");
  check_kind_metadata_update(pod["metadata"], old["metadata"], metadata, errors);
  check_annotation_changes(annotations_of(pod), annotations_of(old), errors);
  const Value &status = pod["status"], &before = old["status"];
  constexpr std::string_view kWhole = "must be a non-negative integer";
  for (std::size_t i = 0; i < status["conditions"].size(); ++i) {
    const Value& condition = status["conditions"][i];
    const Path at = conditions.index(i);
    if (condition["observedGeneration"].as_int() < 0)
      errors.invalid(at.child("observedGeneration"), condition["observedGeneration"], kWhole);
    const std::string_view type = text_of(condition, "type");
    if (type != "PodScheduled" && type != "Ready" && type != "Initialized")
      check_qualified_name(at.child("Type"), type, errors);
  }
  const Value& nominated = status["nominatedNodeName"];
  if (!(nominated == before["nominatedNodeName"]) && !empty_text(nominated)) {
    const Path at = path.child("nominatedNodeName");
    errors.invalid_each(at, nominated, dns1123_subdomain_messages(nominated.as_string()));
    if (!empty_text(old["spec"]["nodeName"]))
      errors.forbidden(at, "may not be set on pods that are already bound to a node");
  }
  if (status["observedGeneration"].as_int() < 0)
    errors.invalid(path.child("observedGeneration"), status["observedGeneration"], kWhole);
  if (text_of(status, "qosClass") != text_of(before, "qosClass"))
    errors.invalid(path.child("qosClass"), text_of(status, "qosClass"), kImmutable);
  const Value& spec = old["spec"];
  const bool restarts = all_could_restart(spec);
  constexpr std::pair<const char*, const char*> kLists[] = {
      {"containerStatuses", "containers"}, {"initContainerStatuses", "initContainers"}};
  for (const auto& [list, containers] : kLists)
    if (!restarts)
      check_transitions(path.child(list), status[list], before[list], spec[containers], spec,
                        errors);
  check_transitions(path.child("ephemeralContainerStatuses"), status["ephemeralContainerStatuses"],
                    before["ephemeralContainerStatuses"], Value(), spec, errors);
  check_claim_statuses(path.child("resourceClaimStatuses"), status["resourceClaimStatuses"],
                       pod["spec"]["resourceClaims"], errors);
  check_addresses(path.child("podIPs"), status["podIPs"], before["podIPs"], errors);
  const Path hosts = path.child("hostIPs");
  if (!status["hostIPs"].empty()) {
    const Path first = hosts.index(0);
    if (!(status["hostIPs"][0]["ip"] == status["hostIP"]))
      errors.invalid(first.child("ip"), text_of(status["hostIPs"][0], "ip"),
                     "must be equal to `hostIP`");
    check_addresses(hosts, status["hostIPs"], before["hostIPs"], errors);
  }
}

}  // namespace keelson::model
