// Conditions in the order in which the kubelet sets them.
#include "node/node_object.h"

#include <array>

#include "codec/json.h"
#include "model/conditions.h"
#include "model/meta.h"

namespace keelson::node {
namespace {

constexpr std::string_view kCapacityAnnotation = "keelson.dev/capacity";

struct Pressure {
  std::string_view type, reason, message;
};
constexpr std::array<Pressure, 3> kPressures = {{
    {"MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"},
    {"DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"},
    {"PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"},
}};

Value condition(const Value& node, std::string_view type, bool status, std::string_view reason,
                std::string_view message, Instant now) {
  return model::condition_after(node,
                                Value::object({{"type", type},
                                               {"status", status ? "True" : "False"},
                                               {"reason", reason},
                                               {"message", message},
                                               {"lastHeartbeatTime", to_rfc3339(now)}}),
                                now);
}

bool is_own(std::string_view type) {
  if (type == "Ready") return true;
  for (const Pressure& pressure : kPressures)
    if (pressure.type == type) return true;
  return false;
}

Value without_heartbeats(Value status) {
  Value conditions = status["conditions"];
  for (std::size_t i = 0; i < conditions.size(); i++) conditions.edit(i).erase("lastHeartbeatTime");
  status.set("conditions", std::move(conditions));
  return status;
}

}  // namespace

Value node_capacity(const Value& node, const Value& machine) {
  const std::string_view declared = model::annotation_of(node, kCapacityAnnotation);
  Value capacity;
  if (!declared.empty())
    if (auto parsed = codec::parse_json(declared); parsed.ok()) capacity = *parsed;
  if (!capacity.is_object()) capacity = node["status"]["capacity"];
  if (!capacity.is_object()) capacity = machine;
  for (const codec::Member& member : machine.members())
    if (!capacity.has(member.key())) capacity.set(member.key(), member.value);
  if (!capacity.has("pods")) capacity.set("pods", "110");
  return capacity;
}

Value node_status(const Value& node, const NodeFacts& facts, Instant now) {
  Value status = node["status"].is_object() ? node["status"] : Value::object();
  const Value capacity = node_capacity(node, facts.capacity);
  status.set("capacity", capacity);
  if (!status["allocatable"].is_object()) status.set("allocatable", capacity);
  Value conditions = Value::array();
  for (const Value& other : node["status"]["conditions"].elements())
    if (!is_own(other["type"].as_string())) conditions.push_back(other);
  for (const Pressure& pressure : kPressures)
    conditions.push_back(
        condition(node, pressure.type, false, pressure.reason, pressure.message, now));
  conditions.push_back(
      facts.ready
          ? condition(node, "Ready", true, "KubeletReady", "kubelet is posting ready status", now)
          : condition(node, "Ready", false, "KubeletNotReady", "node is shutting down", now));
  status.set("conditions", std::move(conditions));
  status.set(
      "addresses",
      Value::array({Value::object({{"type", "InternalIP"}, {"address", facts.address}}),
                    Value::object({{"type", "Hostname"}, {"address", model::name_of(node)}})}));
  status.set("daemonEndpoints",
             Value::object({{"kubeletEndpoint", Value::object({{"Port", facts.kubelet_port}})}}));
  Value info = facts.node_info.is_object() ? facts.node_info : Value::object();
  status.set("nodeInfo", std::move(info));
  if (facts.images.is_array() && facts.images.size() > 0) status.set("images", facts.images);
  return status;
}

Value node_status_patch(const Value& node, const Value& status) {
  if (without_heartbeats(node["status"]) == without_heartbeats(status)) return {};
  Value patch = Value::object();
  for (const codec::Member& member : status.members())
    if (!(node["status"][member.key()] == member.value)) patch.set(member.key(), member.value);
  return Value::object({{"status", std::move(patch)}});
}

Value node_lease(const Value& node, Instant now) {
  const std::string name(model::name_of(node));
  return Value::object(
      {{"apiVersion", "coordination.k8s.io/v1"},
       {"kind", "Lease"},
       {"metadata",
        Value::object(
            {{"name", name},
             {"namespace", "kube-node-lease"},
             {"ownerReferences", Value::array({Value::object({{"apiVersion", "v1"},
                                                              {"kind", "Node"},
                                                              {"name", name},
                                                              {"uid", model::uid_of(node)}})})}})},
       {"spec", Value::object({{"holderIdentity", name},
                               {"leaseDurationSeconds", 40},
                               {"renewTime", to_rfc3339_micro(now)}})}});
}

}  // namespace keelson::node
