// Defaults of rbac, scheduling, flowcontrol, resource and apiextensions.
#include "base/text.h"
#include "model/defaults/rules.h"

namespace keelson::model {
namespace {

using codec::Member;
using codec::Value;

constexpr const char* kRbac = "rbac.authorization.k8s.io";

void binding(Value& object) {
  default_empty_to(object.edit("roleRef"), "apiGroup", kRbac);
}
void subject(Value& s) {
  const std::string_view kind = s["kind"].as_string();
  if (kind == "User" || kind == "Group") default_empty_to(s, "apiGroup", kRbac);
}

void priority_class(Value& object) {
  default_to(object, "preemptionPolicy", "PreemptLowerPriority");
}

void flow_schema(Value& spec) {
  default_empty_to(spec, "matchingPrecedence", 1000);
}
void exempt(Value& level) {
  default_to(level, "nominalConcurrencyShares", 0);
  default_to(level, "lendablePercent", 0);
}
void limited(Value& level) {
  default_to(level, "nominalConcurrencyShares", 30);
  default_to(level, "lendablePercent", 0);
}
void queuing(Value& configuration) {
  default_empty_to(configuration, "handSize", 8);
  default_empty_to(configuration, "queues", 64);
  default_empty_to(configuration, "queueLengthLimit", 50);
}

void device_request(Value& request) {
  default_empty_to(request, "allocationMode", "ExactCount");
  if (request["allocationMode"].as_string() == "ExactCount") default_empty_to(request, "count", 1);
}

void definition(Value& object) {
  Value& spec = object.edit("spec");
  const std::string kind = spec["names"]["kind"].str();
  if (!kind.empty()) {
    default_empty_to(spec.edit("names"), "singular", to_lower(kind));
    default_empty_to(spec.edit("names"), "listKind", kind + "List");
  }
  default_to(spec, "conversion", Value::object({{"strategy", "None"}}));
  if (!object["status"]["storedVersions"].empty()) return;
  for (const Value& version : spec["versions"].elements())
    if (version["storage"].as_bool()) {
      object.edit("status").set("storedVersions", Value::array({version["name"]}));
      break;
    }
}

}  // namespace

DefaultRules other_defaults() {
  return {
      {"io.k8s.api.rbac.v1.ClusterRoleBinding", binding},
      {"io.k8s.api.rbac.v1.RoleBinding", binding},
      {"io.k8s.api.rbac.v1.Subject", subject},
      {"io.k8s.api.scheduling.v1.PriorityClass", priority_class},
      {"io.k8s.api.flowcontrol.v1.FlowSchemaSpec", flow_schema},
      {"io.k8s.api.flowcontrol.v1.ExemptPriorityLevelConfiguration", exempt},
      {"io.k8s.api.flowcontrol.v1.LimitedPriorityLevelConfiguration", limited},
      {"io.k8s.api.flowcontrol.v1.QueuingConfiguration", queuing},
      {"io.k8s.api.resource.v1.ExactDeviceRequest", device_request},
      {"io.k8s.api.resource.v1.DeviceSubRequest", device_request},
      {"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
       definition},
  };
}

}  // namespace keelson::model
