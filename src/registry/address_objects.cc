#include "registry/address_objects.h"

#include <algorithm>

#include "base/check.h"
#include "model/meta.h"
#include "registry/field_owners.h"

namespace keelson::registry {

namespace {

constexpr std::string_view kManager = "kube-apiserver";
constexpr std::string_view kAllocator = "ipallocator.k8s.io";

std::string key_of(std::string_view address) {
  return std::string(kIpAddresses) + "//" + std::string(address);
}

Value address_object(Registry::State& state, const std::string& address, const Value& service) {
  const model::ResourcePointer resource = state.types.served(kIpAddresses);
  KEELSON_CHECK(resource != nullptr);
  Value object = Value::object({{"apiVersion", resource->api_version()}, {"kind", resource->kind}});
  object.edit("metadata")
      .set("labels", Value::object({{"ipaddress.kubernetes.io/ip-family", "IPv4"},
                                    {"ipaddress.kubernetes.io/managed-by", kAllocator}}));
  object.edit("metadata").set("name", address);
  object.edit("spec").set("parentRef", Value::object({{"name", model::name_of(service)},
                                                      {"namespace", model::namespace_of(service)},
                                                      {"resource", "services"}}));
  const FieldWriter writer{std::string(kManager), "", state.now()};
  track_update(state.types, *resource, strategy_of(resource->name()), Value(), object, writer);
  object.edit("metadata").set("creationTimestamp", to_rfc3339(state.now()));
  object.edit("metadata").set("uid", state.rng().uuid());
  object.edit("metadata").set("resourceVersion", state.store.next_revision().text());
  return object;
}

bool belongs_to(const Value& address, const Value& service) {
  const Value& parent = address["spec"]["parentRef"];
  return parent["resource"].as_string() == "services" &&
         parent["namespace"].as_string() == model::namespace_of(service) &&
         parent["name"].as_string() == model::name_of(service);
}

bool is_allocated(const Value& address) {
  return address["metadata"]["labels"]["ipaddress.kubernetes.io/managed-by"].as_string() ==
         kAllocator;
}

void add_address(Registry::State& state, AddressChange& out, const std::string& address,
                 const Value& service) {
  Value object = address_object(state, address, service);
  out.puts.push_back({key_of(address), to_object_json(object), object});
  out.changes.emplace_back(Value(), std::move(object));
}

void remove_address(AddressChange& out, const Value& object) {
  out.deletes.push_back(key_of(model::name_of(object)));
  out.changes.emplace_back(object, Value());
}

}  // namespace

AddressChange address_change(Registry::State& state, const Value& before, const Value& after) {
  AddressChange out;
  const std::vector<std::string> old = service_addresses(before), now = service_addresses(after);
  const auto has = [](const std::vector<std::string>& list, const std::string& one) {
    return std::find(list.begin(), list.end(), one) != list.end();
  };
  for (const std::string& address : now)
    if (!has(old, address) && state.object(kIpAddresses, "", address).is_null())
      add_address(state, out, address, after);
  for (const std::string& address : old) {
    const Value& object = state.object(kIpAddresses, "", address);
    if (!has(now, address) && !object.is_null() && belongs_to(object, before))
      remove_address(out, object);
  }
  return out;
}

Result<void> repair_addresses(Registry::State& state) {
  AddressChange change;
  for (const store::EntryPtr& service : state.entries("services"))
    for (const std::string& address : service_addresses(service->value()))
      if (state.object(kIpAddresses, "", address).is_null())
        add_address(state, change, address, service->value());
  for (const store::EntryPtr& entry : state.entries(kIpAddresses)) {
    const Value& object = entry->value();
    const Value& parent = object["spec"]["parentRef"];
    if (!is_allocated(object) || parent["resource"].as_string() != "services") continue;
    const Value& service =
        state.object("services", parent["namespace"].as_string(), parent["name"].as_string());
    const std::vector<std::string> held = service_addresses(service);
    if (std::find(held.begin(), held.end(), model::name_of(object)) == held.end())
      remove_address(change, object);
  }
  if (change.changes.empty()) return {};
  store::Transaction transaction;
  transaction.puts = std::move(change.puts);
  transaction.deletes = std::move(change.deletes);
  auto committed = state.store.commit(std::move(transaction));
  if (!committed.ok()) return committed.error();
  for (const auto& [before, after] : change.changes) state.observe(kIpAddresses, before, after);
  return {};
}

}  // namespace keelson::registry
