// pkg/apis/core/v1/defaults.go, without pods.
#include "base/text.h"
#include "model/defaults/rules.h"
#include "model/quantity.h"

namespace keelson::model {
namespace {

using codec::Member;
using codec::Value;

// Copies the entries of `from` that `to` lacks.
void fill(Value& to, const Value& from) {
  for (const Member& member : from.members())
    if (!to.has(member.key())) to.set(member.key(), member.value);
}

// Amounts below a thousandth are rounded up.
void resource_list(Value& list) {
  std::vector<std::pair<std::string, std::string>> rounded;
  for (const Member& member : list.members()) {
    const Quantity q = Quantity::of(member.value);
    if (!(q == q.rounded_up_to_milli()))
      rounded.emplace_back(member.key(), q.rounded_up_to_milli().text());
  }
  for (const auto& [key, text] : rounded) list.set(key, text);
}

void replication_controller(Value& controller) {
  const Value labels = controller["spec"]["template"]["metadata"]["labels"];
  if (labels.is_null()) return;
  if (controller["spec"]["selector"].empty()) controller.edit("spec").set("selector", labels);
  if (controller["metadata"]["labels"].empty()) controller.edit("metadata").set("labels", labels);
}

void service_affinity(Value& spec) {
  default_empty_to(spec, "sessionAffinity", "None");
  const std::string_view affinity = spec["sessionAffinity"].as_string();
  if (affinity == "None") spec.erase("sessionAffinityConfig");
  if (affinity == "ClientIP" &&
      spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].is_null())
    spec.set("sessionAffinityConfig",
             Value::object({{"clientIP", Value::object({{"timeoutSeconds", 10800}})}}));
}

void service(Value& object) {
  Value& spec = object.edit("spec");
  service_affinity(spec);
  default_empty_to(spec, "type", "ClusterIP");
  const std::string type = spec["type"].str();
  for (std::size_t i = 0; i < spec["ports"].size(); ++i) {
    Value& port = spec.edit("ports").edit(i);
    default_empty_to(port, "protocol", "TCP");
    default_empty_to(port, "targetPort", port["port"]);
  }
  const bool external = type == "LoadBalancer" || type == "NodePort" ||
                        (type == "ClusterIP" && !spec["externalIPs"].empty());
  if (external) default_empty_to(spec, "externalTrafficPolicy", "Cluster");
  if (type == "NodePort" || type == "LoadBalancer" || type == "ClusterIP")
    default_to(spec, "internalTrafficPolicy", "Cluster");
  if (type != "LoadBalancer") return;
  default_to(spec, "allocateLoadBalancerNodePorts", true);
  const std::size_t count = object["status"]["loadBalancer"]["ingress"].size();
  for (std::size_t i = 0; i < count; ++i) {
    Value& ingress = object.edit("status").edit("loadBalancer").edit("ingress").edit(i);
    if (!is_unset(ingress["ip"])) default_to(ingress, "ipMode", "VIP");
  }
}

void secret(Value& object) {
  default_empty_to(object, "type", "Opaque");
}

void persistent_volume(Value& object) {
  default_empty_to(object.edit("status"), "phase", "Pending");
  default_empty_to(object.edit("spec"), "persistentVolumeReclaimPolicy", "Retain");
  default_to(object.edit("spec"), "volumeMode", "Filesystem");
}
void persistent_volume_claim(Value& object) {
  default_empty_to(object.edit("status"), "phase", "Pending");
}
void persistent_volume_claim_spec(Value& spec) {
  default_to(spec, "volumeMode", "Filesystem");
}

void name_space(Value& object) {
  const Value name = object["metadata"]["name"];
  if (!is_unset(name))
    object.edit("metadata").edit("labels").set("kubernetes.io/metadata.name", name);
}
void namespace_status(Value& status) {
  default_empty_to(status, "phase", "Active");
}

void node_status(Value& status) {
  if (status["allocatable"].is_null() && !status["capacity"].is_null())
    status.set("allocatable", status["capacity"]);
}

void limit_range_item(Value& item) {
  if (item["type"].as_string() != "Container") return;
  Value limits = item["default"], requests = item["defaultRequest"];
  fill(limits, item["max"]);
  fill(requests, limits);
  fill(requests, item["min"]);
  if (!limits.empty()) item.set("default", limits);
  if (!requests.empty()) item.set("defaultRequest", requests);
}

void endpoint_port(Value& port) {
  default_empty_to(port, "protocol", "TCP");
}

}  // namespace

DefaultRules core_defaults() {
  return {
      {"io.k8s.api.core.v1.ResourceList", resource_list},
      {"io.k8s.api.core.v1.ReplicationController", replication_controller},
      {"io.k8s.api.core.v1.Service", service},
      {"io.k8s.api.core.v1.Secret", secret},
      {"io.k8s.api.core.v1.PersistentVolume", persistent_volume},
      {"io.k8s.api.core.v1.PersistentVolumeClaim", persistent_volume_claim},
      {"io.k8s.api.core.v1.PersistentVolumeClaimSpec", persistent_volume_claim_spec},
      {"io.k8s.api.core.v1.Namespace", name_space},
      {"io.k8s.api.core.v1.NamespaceStatus", namespace_status},
      {"io.k8s.api.core.v1.NodeStatus", node_status},
      {"io.k8s.api.core.v1.LimitRangeItem", limit_range_item},
      {"io.k8s.api.core.v1.EndpointPort", endpoint_port},
  };
}

}  // namespace keelson::model
