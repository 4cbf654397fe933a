// pkg/apis/networking/v1/defaults.go, pkg/apis/discovery/v1/defaults.go.
#include "model/defaults/rules.h"

namespace keelson::model {
namespace {

using codec::Value;

void policy_port(Value& port) {
  default_to(port, "protocol", "TCP");
}

void network_policy(Value& object) {
  Value& spec = object.edit("spec");
  if (!spec["policyTypes"].empty()) return;
  Value types = Value::array({"Ingress"});
  if (!spec["egress"].empty()) types.push_back("Egress");
  spec.set("policyTypes", types);
}

void ingress_class(Value& object) {
  if (object["spec"]["parameters"].is_object())
    default_to(object.edit("spec").edit("parameters"), "scope", "Cluster");
}

void endpoint_port(Value& port) {
  default_to(port, "name", "");
  default_to(port, "protocol", "TCP");
}

}  // namespace

DefaultRules network_defaults() {
  return {
      {"io.k8s.api.networking.v1.NetworkPolicyPort", policy_port},
      {"io.k8s.api.networking.v1.NetworkPolicy", network_policy},
      {"io.k8s.api.networking.v1.IngressClass", ingress_class},
      {"io.k8s.api.discovery.v1.EndpointPort", endpoint_port},
  };
}

}  // namespace keelson::model
