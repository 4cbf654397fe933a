// From Endpoints that a user wrote to EndpointSlices. See endpoints.h.
#include <algorithm>

#include "control/common/claims.h"
#include "control/common/script.h"
#include "control/common/service_pods.h"
#include "control/common/templates.h"
#include "control/endpoints/endpoints.h"
#include "model/meta.h"

namespace keelson::control {
namespace {

using cluster::Key;

constexpr std::string_view kServices = "services", kEndpoints = "endpoints",
                           kSlices = "endpointslices.discovery.k8s.io";
constexpr std::string_view kServiceName = "kubernetes.io/service-name";
constexpr std::string_view kManagedBy = "endpointslice.kubernetes.io/managed-by";
constexpr std::string_view kManager = "endpointslicemirroring-controller.k8s.io";
constexpr std::string_view kSkip = "endpointslice.kubernetes.io/skip-mirror";
constexpr std::string_view kLeader = "control-plane.alpha.kubernetes.io/leader";
constexpr std::size_t kAddressesMax = 1000;  // of a subset

bool is_mirrored(const Value& service, const Value& endpoints) {
  return !service.is_null() && service["spec"]["selector"].is_null() && !endpoints.is_null() &&
         model::label_of(endpoints, kSkip) != "true" &&
         !model::annotations_of(endpoints).has(kLeader);
}

Value endpoint_of(const Value& address, bool ready) {
  Value endpoint = Value::object({{"addresses", Value::array({address["ip"]})},
                                  {"conditions", Value::object({{"ready", ready}})}});
  for (const char* key : {"targetRef", "nodeName", "hostname"})
    if (!address[key].is_null()) endpoint.set(key, address[key]);
  return endpoint;
}

Value ports_of(const Value& subset) {
  Value ports = Value::array();
  for (const Value& port : subset["ports"].elements()) {
    Value entry =
        Value::object({{"name", port["name"].as_string()},
                       {"port", port["port"]},
                       {"protocol", port["protocol"].is_null() ? Value("TCP") : port["protocol"]}});
    if (!port["appProtocol"].is_null()) entry.set("appProtocol", port["appProtocol"]);
    ports.push_back(std::move(entry));
  }
  return ports;
}

Value metadata_of(const Value& endpoints) {
  Value meta = Value::object({{"namespace", model::namespace_of(endpoints)},
                              {"generateName", std::string(model::name_of(endpoints)) + "-"}});
  Value labels =
      model::labels_of(endpoints).is_object() ? model::labels_of(endpoints) : Value::object();
  labels.set(kServiceName, model::name_of(endpoints));
  labels.set(kManagedBy, kManager);
  meta.set("labels", std::move(labels));
  for (const codec::Member& note : model::annotations_of(endpoints).members())
    if (note.key() != "endpoints.kubernetes.io/last-change-trigger-time" &&
        note.key() != "kubectl.kubernetes.io/last-applied-configuration")
      meta.edit("annotations").set(note.key(), note.value);
  meta.set("ownerReferences", Value::array({model::controller_reference(endpoints)}));
  return meta;
}

bool is_own(const Value& slice, std::string_view service) {
  return model::label_of(slice, kServiceName) == service &&
         model::label_of(slice, kManagedBy) == kManager;
}

std::vector<Key> key_of_slice(const cluster::View&, const Value& before, const Value& after) {
  const Value& slice = after.is_null() ? before : after;
  const std::string_view service = model::label_of(slice, kServiceName);
  if (service.empty() || !is_own(slice, service)) return {};
  return {{std::string(model::namespace_of(slice)), std::string(service)}};
}

}  // namespace

MirroredSlices slices_of(const Value& endpoints) {
  MirroredSlices result;
  for (const Value& subset : endpoints["subsets"].elements()) {
    Value by_type[2] = {Value::array(), Value::array()};  // IPv4, IPv6
    std::size_t count = 0;
    for (const bool ready : {true, false})
      for (const Value& address : subset[ready ? "addresses" : "notReadyAddresses"].elements()) {
        if (++count > kAddressesMax) {
          ++result.skipped;
          continue;
        }
        by_type[is_v6_address(address["ip"].as_string()) ? 1 : 0].push_back(
            endpoint_of(address, ready));
      }
    for (int i = 0; i < 2; ++i)
      if (!by_type[i].empty())
        result.slices.push_back(Value::object({{"apiVersion", "discovery.k8s.io/v1"},
                                               {"kind", "EndpointSlice"},
                                               {"metadata", metadata_of(endpoints)},
                                               {"addressType", i == 0 ? "IPv4" : "IPv6"},
                                               {"ports", ports_of(subset)},
                                               {"endpoints", std::move(by_type[i])}}));
  }
  return result;
}

std::vector<cluster::Watch> EndpointSliceMirroringController::watches() const {
  return {cluster::watch_self(std::string(kEndpoints)),
          cluster::watch_self(std::string(kServices)),
          {std::string(kSlices), key_of_slice}};
}

cluster::Plan EndpointSliceMirroringController::reconcile(const cluster::Sync& sync) {
  cluster::Plan plan;
  const Value service = sync.view.get(kServices, sync.key.namespace_, sync.key.name);
  const Value endpoints = sync.view.get(kEndpoints, sync.key.namespace_, sync.key.name);
  std::vector<Value> existing;
  for (Value& slice : sync.view.list(kSlices, sync.key.namespace_))
    if (is_own(slice, sync.key.name) && !model::is_deleting(slice))
      existing.push_back(std::move(slice));
  MirroredSlices wanted;
  if (is_mirrored(service, endpoints)) wanted = slices_of(endpoints);
  if (wanted.skipped > 0)
    plan.events.push_back(
        warning(endpoints, "TooManyAddressesToMirror",
                "A max of " + std::to_string(kAddressesMax) +
                    " addresses can be mirrored to EndpointSlices per Endpoints subset. " +
                    std::to_string(wanted.skipped) + " addresses were skipped"));
  // A slice stays the slice of its ports and kind of address.
  for (Value& slice : wanted.slices) {
    const auto same = std::find_if(existing.begin(), existing.end(), [&](const Value& one) {
      return one["addressType"] == slice["addressType"] &&
             same_content(one["ports"], slice["ports"]);
    });
    if (same == existing.end()) {
      plan.writes.push_back(create(kSlices, std::move(slice)));
      continue;
    }
    const bool equal = same_content((*same)["endpoints"], slice["endpoints"]) &&
                       same_content(model::labels_of(*same), model::labels_of(slice)) &&
                       same_content(model::annotations_of(*same), model::annotations_of(slice));
    if (!equal) {
      Value changed = *same;
      changed.set("endpoints", slice["endpoints"]);
      for (const char* key : {"labels", "annotations"})
        changed.edit("metadata").set(key, slice["metadata"][key]);
      plan.writes.push_back(update(kSlices, std::move(changed)));
    }
    existing.erase(same);
  }
  for (const Value& slice : existing) plan.writes.push_back(remove(kSlices, slice));
  return plan;
}

}  // namespace keelson::control
