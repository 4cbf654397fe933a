// From the pods of a Service to its Endpoints. See endpoints.h.
#include "control/endpoints/endpoints.h"

#include <algorithm>
#include <map>

#include "codec/json.h"
#include "control/common/claims.h"
#include "control/common/script.h"
#include "control/common/service_pods.h"
#include "control/common/templates.h"
#include "model/meta.h"
#include "model/selector.h"

namespace keelson::control {
namespace {

using cluster::Key;

constexpr std::string_view kServices = "services", kEndpoints = "endpoints";
constexpr std::string_view kManagedBy = "endpoints.kubernetes.io/managed-by";
constexpr std::string_view kHeadless = "service.kubernetes.io/headless";
constexpr std::string_view kOverCapacity = "endpoints.kubernetes.io/over-capacity";
constexpr std::string_view kLeader = "control-plane.alpha.kubernetes.io/leader";
constexpr std::size_t kAddressesMax = 1000;

// The first address of the Service's first family; empty if the pod has none.
std::string address_of(const Value& service, const Value& pod) {
  const Value& family = service["spec"]["ipFamilies"][0];
  const std::string_view own = service["spec"]["clusterIP"].as_string();
  bool v6 = family.as_string() == "IPv6";
  if (family.is_null())
    v6 = is_v6_address(own.empty() || own == "None" ? pod["status"]["podIP"].as_string() : own);
  for (const Value& ip : pod["status"]["podIPs"].elements())
    if (is_v6_address(ip["ip"].as_string()) == v6) return ip["ip"].str();
  return {};
}

Value endpoint_address(const Value& service, const Value& pod, const std::string& ip) {
  Value address =
      Value::object({{"ip", ip},
                     {"targetRef", Value::object({{"kind", "Pod"},
                                                  {"namespace", model::namespace_of(pod)},
                                                  {"name", model::name_of(pod)},
                                                  {"uid", model::uid_of(pod)}})}});
  if (!pod["spec"]["nodeName"].as_string().empty())
    address.set("nodeName", pod["spec"]["nodeName"]);
  if (const std::string_view hostname = hostname_under(service, pod); !hostname.empty())
    address.set("hostname", hostname);
  return address;
}

// The ports of the Service as this pod offers them. A headless Service needs none.
Value ports_of(const Value& service, const Value& pod) {
  Value ports = Value::array();
  for (const Value& port : service["spec"]["ports"].elements()) {
    const std::int64_t number = target_port(port, pod);
    if (number == 0) continue;
    Value entry =
        Value::object({{"port", number},
                       {"protocol", port["protocol"].is_null() ? Value("TCP") : port["protocol"]}});
    for (const char* key : {"name", "appProtocol"})
      if (!port[key].as_string().empty()) entry.set(key, port[key]);
    ports.push_back(std::move(entry));
  }
  return ports;
}

bool address_before(const Value& a, const Value& b) {
  if (!(a["ip"] == b["ip"])) return a["ip"].as_string() < b["ip"].as_string();
  return a["targetRef"]["uid"].as_string() < b["targetRef"]["uid"].as_string();
}

// Takes from a list so that all lists together, `total`, keep about the same share of `room`.
void shorten(Value& list, std::size_t total, std::size_t room, std::size_t& left) {
  const std::size_t share = (list.size() * room + total - 1) / total;
  const std::size_t kept = std::min({list.size(), share, left});
  list.edit_elements().resize(kept);
  left -= kept;
}

bool truncate(Value& subsets) {
  std::size_t ready = 0, not_ready = 0;
  for (const Value& subset : subsets.elements()) {
    ready += subset["addresses"].size();
    not_ready += subset["notReadyAddresses"].size();
  }
  if (ready + not_ready <= kAddressesMax) return false;
  const bool too_many_ready = ready > kAddressesMax;
  const std::size_t room = too_many_ready ? kAddressesMax : kAddressesMax - ready;
  std::size_t left = room;
  for (Value& subset : subsets.edit_elements()) {
    const char* cut = too_many_ready ? "addresses" : "notReadyAddresses";
    if (!subset[cut].empty())
      shorten(subset.edit(cut), too_many_ready ? ready : not_ready, room, left);
    if (too_many_ready) subset.erase("notReadyAddresses");
    for (const char* list : {"addresses", "notReadyAddresses"})
      if (subset[list].empty()) subset.erase(list);
  }
  return true;
}

std::vector<Key> services_of_pod(const cluster::View& view, const Value& before,
                                 const Value& after) {
  const Value& pod = after.is_null() ? before : after;
  std::vector<Key> keys;
  for (const Value& service : view.list(kServices, model::namespace_of(pod))) {
    if (service["spec"]["selector"].empty()) continue;
    const auto selector = model::LabelSelector::of_map(service["spec"]["selector"]);
    if ((!before.is_null() && selector.matches(model::labels_of(before))) ||
        (!after.is_null() && selector.matches(model::labels_of(after))))
      keys.push_back(key_of(service));
  }
  return keys;
}

Value updated(const Value& service, const Value& current, const EndpointSubsets& wanted) {
  Value endpoints = current;
  if (endpoints.is_null())
    endpoints =
        Value::object({{"apiVersion", "v1"},
                       {"kind", "Endpoints"},
                       {"metadata", Value::object({{"name", model::name_of(service)},
                                                   {"namespace", model::namespace_of(service)}})}});
  Value labels =
      model::labels_of(service).is_object() ? model::labels_of(service) : Value::object();
  labels.erase(kHeadless);
  if (is_headless(service)) labels.set(kHeadless, "");
  labels.set(kManagedBy, "endpoint-controller");
  Value& meta = endpoints.edit("metadata");
  meta.set("labels", std::move(labels));
  if (wanted.truncated)
    meta.edit("annotations").set(kOverCapacity, "truncated");
  else if (meta["annotations"].has(kOverCapacity))
    meta.edit("annotations").erase(kOverCapacity);
  if (wanted.subsets.empty())
    endpoints.erase("subsets");
  else
    endpoints.set("subsets", wanted.subsets);
  return endpoints;
}

}  // namespace

EndpointSubsets subsets_of(const Value& service, const std::vector<Value>& pods) {
  const bool even_unready = service["spec"]["publishNotReadyAddresses"].as_bool();
  const bool needs_no_ports =
      service["spec"]["ports"].empty() && service["spec"]["clusterIP"].as_string() == "None";
  struct Offer {
    Value address;
    bool ready = false;
  };
  std::vector<Offer> offers;
  std::map<std::string, std::pair<Value, std::vector<std::size_t>>> by_port;
  for (const Value& pod : pods) {
    if (model::pod_is_finished(pod) || (model::is_deleting(pod) && !even_unready)) continue;
    const std::string ip = address_of(service, pod);
    Value ports = ports_of(service, pod);
    if (needs_no_ports) ports.push_back(Value());
    if (ip.empty() || ports.empty()) continue;
    for (const Value& port : ports.elements()) {
      auto& [same, who] = by_port[codec::to_json(port)];
      same = port;
      who.push_back(offers.size());
    }
    offers.push_back(
        {endpoint_address(service, pod, ip), even_unready || model::pod_is_ready(pod)});
  }
  // Ports that the same pods offer stand together.
  std::map<std::vector<std::size_t>, Value> subsets;
  for (const auto& [text, one] : by_port) {
    Value& ports = subsets.try_emplace(one.second, Value::array()).first->second;
    if (!one.first.is_null()) ports.push_back(one.first);
  }
  EndpointSubsets result;
  for (const auto& [who, ports] : subsets) {
    std::vector<Value> ready, not_ready;
    for (const std::size_t index : who)
      (offers[index].ready ? ready : not_ready).push_back(offers[index].address);
    Value subset = Value::object();
    std::sort(ready.begin(), ready.end(), address_before);
    std::sort(not_ready.begin(), not_ready.end(), address_before);
    if (!ready.empty()) subset.set("addresses", Value(std::move(ready)));
    if (!not_ready.empty()) subset.set("notReadyAddresses", Value(std::move(not_ready)));
    if (!ports.empty()) subset.set("ports", ports);
    result.subsets.push_back(std::move(subset));
  }
  result.truncated = truncate(result.subsets);
  return result;
}

std::vector<cluster::Watch> EndpointsController::watches() const {
  return {
      cluster::watch_self(std::string(kServices)),
      {"pods", services_of_pod},
      // One that vanished is made again.
      {std::string(kEndpoints), [](const cluster::View&, const Value& before, const Value& after) {
         return after.is_null() ? std::vector<Key>{key_of(before)} : std::vector<Key>{};
       }}};
}

// What Services left behind while nobody watched. Some are locks of leaders, and no endpoints.
std::vector<Key> EndpointsController::start(const cluster::View& view) {
  std::vector<Key> keys;
  for (const Value& endpoints : view.list(kEndpoints))
    if (model::annotation_of(endpoints, kLeader).empty()) keys.push_back(key_of(endpoints));
  return keys;
}

cluster::Plan EndpointsController::reconcile(const cluster::Sync& sync) {
  cluster::Plan plan;
  const Value service = sync.view.get(kServices, sync.key.namespace_, sync.key.name);
  const Value current = sync.view.get(kEndpoints, sync.key.namespace_, sync.key.name);
  if (service.is_null()) {
    if (!current.is_null() && !model::is_deleting(current))
      plan.writes.push_back(remove(kEndpoints, current));
    return plan;
  }
  // Endpoints of a Service without a selector are somebody else's.
  if (service["spec"]["selector"].is_null() ||
      service["spec"]["type"].as_string() == "ExternalName")
    return plan;
  const auto selector = model::LabelSelector::of_map(service["spec"]["selector"]);
  std::vector<Value> pods;
  for (Value& pod : sync.view.list("pods", sync.key.namespace_))
    if (selector.matches(model::labels_of(pod))) pods.push_back(std::move(pod));
  const Value wanted = updated(service, current, subsets_of(service, pods));
  if (!current.is_null() && same_content(wanted, current)) return plan;
  cluster::Write write =
      current.is_null() ? create(kEndpoints, wanted) : update(kEndpoints, wanted);
  const bool fresh = current.is_null();
  return Script::run([write = std::move(write), wanted, fresh](Script& script) -> Result<void> {
    const Result<Value> result = script.write(write);
    if (result.ok() || (fresh && namespace_is_terminating(result.error()))) return {};
    const std::string name = std::string(model::namespace_of(wanted)) + "/" +
                             std::string(model::name_of(wanted)) + ": " + result.error().message;
    script.event(
        fresh ? warning(wanted, "FailedToCreateEndpoint",
                        "Failed to create endpoint for service " + name)
              : warning(wanted, "FailedToUpdateEndpoint", "Failed to update endpoint " + name));
    return result.error();
  });
}

}  // namespace keelson::control
