// The small rules about a pod's spec that several parts of the node share.
#include "node/pod_spec.h"

#include <array>

#include "base/text.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "node/runtime_state.h"

namespace keelson::node {
namespace {

const Value kNull;
constexpr std::array<std::string_view, 3> kLists = {"containers", "initContainers",
                                                    "ephemeralContainers"};

const Value* matching_rule(const Value& container, int exit_code) {
  for (const Value& rule : container["restartPolicyRules"].elements()) {
    const Value& codes = rule["exitCodes"];
    bool listed = false;
    for (const Value& code : codes["values"].elements())
      if (code.as_int() == exit_code) listed = true;
    const std::string_view op = codes["operator"].as_string();
    if ((op == "In" && listed) || (op == "NotIn" && !listed)) return &rule;
  }
  return nullptr;
}

}  // namespace

Runs runs_of(const std::vector<ContainerRun>& runs, std::string_view container) {
  Runs found;
  for (const ContainerRun& run : runs) {
    if (run.container != container) continue;
    found.before = found.latest;
    found.latest = &run;
  }
  return found;
}

const Value& container_named(const Value& pod, std::string_view name) {
  for (const std::string_view list : kLists)
    for (const Value& container : pod["spec"][list].elements())
      if (container["name"].as_string() == name) return container;
  return kNull;
}

std::string field_path_of(const Value& pod, std::string_view container) {
  for (const std::string_view list : kLists)
    for (const Value& candidate : pod["spec"][list].elements())
      if (candidate["name"].as_string() == container)
        return "spec." + std::string(list) + "{" + std::string(container) + "}";
  return {};
}

bool should_restart(const Value& pod, const Value& container, int exit_code) {
  if (container.has("restartPolicy")) {
    if (const Value* rule = matching_rule(container, exit_code))
      if ((*rule)["action"].as_string() == "Restart") return true;
    const std::string_view policy = container["restartPolicy"].as_string();
    if (policy == "Always") return true;
    if (policy == "OnFailure") return exit_code != 0;
    if (policy == "Never") return false;
  }
  const std::string_view policy = pod["spec"]["restartPolicy"].as_string();
  if (policy == "OnFailure") return exit_code != 0;
  return policy != "Never";
}

std::string pod_text(const Value& pod) {
  return std::string(model::name_of(pod)) + "_" + std::string(model::namespace_of(pod)) + "(" +
         std::string(model::uid_of(pod)) + ")";
}

std::string go_list(const std::vector<std::string>& names) {
  return "[" + join(names, " ") + "]";
}

std::string_view qos_class_of(const Value& pod) {
  // Every container must limit cpu and memory and request just that to be Guaranteed; one request
  // or limit of either makes the pod Burstable.
  bool any = false;
  bool guaranteed = true;
  for (const std::string_view list : {kLists[0], kLists[1]}) {
    for (const Value& container : pod["spec"][list].elements()) {
      const Value& resources = container["resources"];
      for (const std::string_view resource : {"cpu", "memory"}) {
        const model::Quantity request = model::Quantity::of(resources["requests"][resource]);
        const model::Quantity limit = model::Quantity::of(resources["limits"][resource]);
        if (!request.is_zero() || !limit.is_zero()) any = true;
        const bool requested = resources["requests"].has(resource);
        if (limit.is_zero() || (requested && request != limit)) guaranteed = false;
      }
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

Duration grace_of(const Value& pod) {
  const Value& deletion = pod["metadata"]["deletionGracePeriodSeconds"];
  if (deletion.is_integer()) return Duration::seconds(deletion.as_int());
  return Duration::seconds(pod["spec"]["terminationGracePeriodSeconds"].as_int(30));
}

bool uses_host_network(const Value& pod) {
  return pod["spec"]["hostNetwork"].as_bool();
}

int resolve_port(const Value& port, const Value& container) {
  if (port.is_integer()) return static_cast<int>(port.as_int());
  for (const Value& candidate : container["ports"].elements())
    if (candidate["name"].as_string() == port.as_string())
      return static_cast<int>(candidate["containerPort"].as_int());
  return static_cast<int>(parse_int(port.as_string()).value_or(0));
}

}  // namespace keelson::node
