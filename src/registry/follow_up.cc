#include "registry/follow_up.h"

#include "base/text.h"
#include "model/conditions.h"
#include "model/meta.h"
#include "registry/address_objects.h"
#include "registry/api_services.h"
#include "registry/authentication_map.h"
#include "registry/field_owners.h"
#include "registry/service_route.h"

namespace keelson::registry {

namespace {

// Whether a Service or an EndpointSlice is what an APIService hangs on.
bool concerns(std::string_view resource, const Value& object,
              const std::pair<std::string, std::string>& service) {
  if (model::namespace_of(object) != service.first) return false;
  return resource == "services" ? model::name_of(object) == service.second
                                : is_slice_of(object, service.second);
}

constexpr std::string_view kDefinitions = "customresourcedefinitions.apiextensions.k8s.io";
constexpr std::string_view kFlows = "flowschemas.flowcontrol.apiserver.k8s.io";
constexpr std::string_view kLevels = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io";
constexpr std::string_view kServices = "apiservices.apiregistration.k8s.io";
constexpr std::string_view kConfigMaps = "configmaps";

Result<void> settle_flow(Registry::State& state, const Value& flow) {
  const std::string level = flow["spec"]["priorityLevelConfiguration"]["name"].str();
  const bool there = !state.object(kLevels, "", level).is_null();
  const std::string subject =
      "This FlowSchema references the PriorityLevelConfiguration object named " + quote(level);
  const Value condition = model::condition_after(
      flow,
      Value::object(
          {{"type", "Dangling"},
           {"status", there ? "False" : "True"},
           {"reason", there ? "Found" : "NotFound"},
           {"message", subject + (there ? " and it exists" : " but there is no such object")}}),
      state.now());
  const Value& before = model::condition_of(flow, "Dangling");
  if (before["status"] == condition["status"] && before["message"] == condition["message"])
    return {};
  Value status = Value::object();
  status.edit("conditions").push_back(condition);
  return write_status(state, kFlows, model::name_of(flow), status,
                      "api-priority-and-fairness-config-consumer-v1", true);
}

}  // namespace

const Identity& server_identity() {
  static const Identity identity{
      "system:apiserver", "", {"system:authenticated", "system:masters"}, {}};
  return identity;
}

Request system_request(const Registry::State& state, std::string_view resource, std::string_view ns,
                       std::string_view name) {
  Request request;
  if (const model::ResourcePointer found = state.types.served(resource)) {
    request.group = found->group;
    request.version = found->version;
    request.resource = found->plural;
  }
  request.namespace_ = ns;
  request.name = name;
  request.identity = server_identity();
  return request;
}

Result<void> write_status(Registry::State& state, std::string_view resource, std::string_view name,
                          const Value& status, std::string_view manager, bool apply) {
  Request request = system_request(state, resource, "", name);
  request.subresource = "status";
  TRY(Call call, state.open(request));
  const store::EntryPtr entry = state.store.get(call.key());
  if (!entry) return {};
  const FieldWriter writer{std::string(manager), "status", call.now};
  Value object = entry->value();
  if (apply) {
    Value wanted = Value::object({{"apiVersion", call.resource->api_version()},
                                  {"kind", call.resource->kind},
                                  {"metadata", Value::object({{"name", name}})},
                                  {"status", status}});
    TRY(object, apply_configuration(state.types, *call.resource, call.strategy, entry->value(),
                                    wanted, writer, true));
  } else {
    object.set("status", status);
    track_update(state.types, *call.resource, call.strategy, entry->value(), object, writer);
  }
  if (auto written = state.put(call, call.key(), std::move(object)); !written.ok())
    return written.error();
  return {};
}

Result<void> Registry::State::settle_one(const std::string& resource, const std::string& name) {
  if (resource == kDefinitions) return settle_definition(name);
  if (resource == kIpAddresses) return repair_addresses(*this);
  if (resource == kServices) return settle_api_service(*this, name);
  if (resource == kConfigMaps) return settle_authentication(*this);
  if (resource == kFlows) {
    const Value flow = object(kFlows, "", name);
    return flow.is_null() ? Result<void>() : settle_flow(*this, flow);
  }
  Result<void> result;  // of the priority level: all its flows
  for (const store::EntryPtr& flow : entries(kFlows)) {
    if (flow->value()["spec"]["priorityLevelConfiguration"]["name"].as_string() != name) continue;
    if (auto settled = settle_flow(*this, flow->value()); !settled.ok()) result = settled.error();
  }
  return result;
}

void Registry::State::settle() {
  if (settling_) return;
  settling_ = true;
  if (!failed_.empty() && now() >= retry_at_) unsettled_.merge(failed_);
  while (!unsettled_.empty()) {
    const std::pair<std::string, std::string> key = *unsettled_.begin();
    unsettled_.erase(unsettled_.begin());
    if (!settle_one(key.first, key.second).ok()) retry(key);
  }
  settling_ = false;
}

void Registry::State::retry(std::pair<std::string, std::string> key) {
  constexpr Duration kPause = Duration::seconds(1);
  failed_.insert(std::move(key));
  retry_at_ = now() + kPause;
}

void Registry::State::mark_all_unsettled() {
  for (const std::string_view resource : {kDefinitions, kServices, kFlows})
    for (const store::EntryPtr& one : entries(resource))
      unsettled_.emplace(resource, model::name_of(one->value()));
  for (const store::EntryPtr& one : entries(kServices))
    note_api_service(*this, Value(), one->value());
  for (const store::EntryPtr& one : entries(kDefinitions))
    for (const std::string& name : api_services_of(one->value()))
      unsettled_.emplace(kServices, name);
  unsettled_.emplace(kConfigMaps, kAuthenticationMap);
}

void Registry::State::require_settling(const std::string& api_service) {
  unsettled_.emplace(kServices, api_service);
}

void Registry::State::observe(std::string_view resource, const Value& before, const Value& after) {
  const Value& object = after.is_null() ? before : after;
  const std::string name(model::name_of(object));
  if (resource == "services") addresses.observe(before, after);
  if (resource == "servicecidrs.networking.k8s.io") addresses.observe_range(before, after);
  if (resource == kIpAddresses) {
    addresses.observe_address(before, after);
    if (after.is_null() && addresses.is_held(name)) unsettled_.emplace(resource, name);
  }
  if (resource == kServices) {
    ++served_generation;
    note_api_service(*this, before, after);
  }
  if (resource == "services" || resource == "endpointslices.discovery.k8s.io")
    for (const auto& [api_service, service] : remote_apis)
      if (concerns(resource, object, service)) unsettled_.emplace(kServices, api_service);
  if (resource == kConfigMaps && name == kAuthenticationMap &&
      model::namespace_of(object) == "kube-system")
    unsettled_.emplace(resource, name);
  if (resource == kDefinitions) {
    unsettled_.emplace(resource, name);
    for (const Value& version : {before, after})
      for (const std::string& api_service : api_services_of(version))
        unsettled_.emplace(kServices, api_service);
    // A name that became free may be what another definition waits for.
    if (after.is_null())
      for (const store::EntryPtr& other : entries(kDefinitions))
        if (other->value()["spec"]["group"] == object["spec"]["group"])
          unsettled_.emplace(resource, model::name_of(other->value()));
  }
  // The status of another server's APIService follows from asking it, which is not asked for again.
  const bool only_status = resource == kServices && !after["spec"]["service"].is_null() &&
                           before["spec"] == after["spec"] &&
                           before["metadata"]["labels"] == after["metadata"]["labels"];
  if ((resource == kServices && !only_status) || resource == kFlows || resource == kLevels)
    unsettled_.emplace(resource, name);
  // The last object of a definition that ends.
  if (after.is_null() && resource.find('.') != std::string_view::npos)
    if (model::is_deleting(this->object(kDefinitions, "", resource)))
      unsettled_.emplace(kDefinitions, resource);
}

}  // namespace keelson::registry
