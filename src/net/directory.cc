#include "net/directory.h"

#include <algorithm>

#include "model/meta.h"
#include "net/address.h"

namespace keelson::net {
namespace {

constexpr std::string_view kServiceLabel = "kubernetes.io/service-name";

const EndpointPort* find_port(const Slice& slice, const ServicePort& port) {
  for (const EndpointPort& at : slice.ports)
    if (at.name == port.name && at.protocol == port.protocol) return &at;
  return nullptr;
}

void sort_unique(std::vector<Target>& targets) {
  // One address may stand in two slices for a moment; a taker of traffic wins over a draining one.
  std::sort(targets.begin(), targets.end(), [](const Target& a, const Target& b) {
    return std::tie(a.address, a.port, a.draining) < std::tie(b.address, b.port, b.draining);
  });
  targets.erase(std::unique(targets.begin(), targets.end(),
                            [](const Target& a, const Target& b) {
                              return a.address == b.address && a.port == b.port;
                            }),
                targets.end());
}

Key slice_service(const Value& slice) {
  return {std::string(model::namespace_of(slice)),
          std::string(model::label_of(slice, kServiceLabel))};
}

}  // namespace

Slice parse_slice(const Value& slice) {
  Slice out;
  for (const Value& port : slice["ports"].elements())
    out.ports.push_back({port["name"].str(), std::string(port["protocol"].as_string("TCP")),
                         static_cast<int>(port["port"].as_int())});
  for (const Value& endpoint : slice["endpoints"].elements()) {
    const auto address = parse_address(endpoint["addresses"][0].as_string());
    if (!address) continue;  // IPv6, or a name
    const Value& conditions = endpoint["conditions"];
    Endpoint one;
    one.address = *address;
    if (endpoint["targetRef"]["kind"].as_string() == "Pod")
      one.pod = endpoint["targetRef"]["name"].str();
    one.hostname = endpoint["hostname"].str();
    one.node = endpoint["nodeName"].str();
    one.ready = conditions["ready"].as_bool(true);
    one.serving = conditions["serving"].as_bool(one.ready);
    one.terminating = conditions["terminating"].as_bool(false);
    out.endpoints.push_back(std::move(one));
  }
  return out;
}

std::uint32_t Service::address() const {
  return parse_address(object["spec"]["clusterIP"].as_string()).value_or(0);
}

std::vector<ServicePort> Service::ports() const {
  std::vector<ServicePort> out;
  for (const Value& port : object["spec"]["ports"].elements())
    out.push_back({port["name"].str(), std::string(port["protocol"].as_string("TCP")),
                   static_cast<int>(port["port"].as_int()),
                   static_cast<int>(port["nodePort"].as_int())});
  return out;
}

std::vector<Target> Service::targets(const ServicePort& port) const {
  std::vector<Target> ready, ending;
  for (const auto& [name, slice] : slices) {
    const EndpointPort* at = find_port(slice, port);
    if (at == nullptr) continue;
    for (const Endpoint& endpoint : slice.endpoints) {
      if (endpoint.ready)
        ready.push_back({endpoint.address, at->port, endpoint.pod, false});
      else if (endpoint.serving && endpoint.terminating)
        ending.push_back({endpoint.address, at->port, endpoint.pod, false});
    }
  }
  std::vector<Target>& chosen = ready.empty() ? ending : ready;
  sort_unique(chosen);
  return chosen;
}

std::vector<Target> Service::targets_and_draining(const ServicePort& port) const {
  std::vector<Target> all = targets(port);
  for (const auto& [name, slice] : slices) {
    const EndpointPort* at = find_port(slice, port);
    if (at == nullptr) continue;
    for (const Endpoint& endpoint : slice.endpoints)
      if (!endpoint.ready && endpoint.terminating)
        all.push_back({endpoint.address, at->port, endpoint.pod, true});
  }
  sort_unique(all);
  return all;
}

Key Directory::service_changed(const Value& before, const Value& after) {
  const Value& object = after.is_null() ? before : after;
  Key key{std::string(model::namespace_of(object)), std::string(model::name_of(object))};
  Service& service = services_[key];
  service.key = key;
  service.object = after;
  drop_if_empty(key);
  return key;
}

Key Directory::slice_changed(const Value& before, const Value& after) {
  const std::string name(model::name_of(after.is_null() ? before : after));
  Key key = slice_service(after.is_null() ? before : after);
  if (!before.is_null() && !after.is_null() && slice_service(before) != key) {
    const Key old = slice_service(before);
    services_[old].slices.erase(name);
    drop_if_empty(old);
  }
  Service& service = services_[key];
  service.key = key;
  if (after.is_null())
    service.slices.erase(name);
  else
    service.slices[name] = parse_slice(after);
  drop_if_empty(key);
  return key;
}

void Directory::namespace_changed(const Value& before, const Value& after) {
  if (after.is_null())
    namespaces_.erase(std::string(model::name_of(before)));
  else
    namespaces_.insert(std::string(model::name_of(after)));
}

void Directory::drop_if_empty(const Key& key) {
  const auto at = services_.find(key);
  if (at != services_.end() && !at->second.exists() && at->second.slices.empty())
    services_.erase(at);
}

const Service* Directory::find(std::string_view ns, std::string_view name) const {
  const auto at = services_.find(Key{std::string(ns), std::string(name)});
  return at == services_.end() ? nullptr : &at->second;
}

std::vector<const Service*> Directory::by_address(std::uint32_t address) const {
  std::vector<const Service*> out;
  for (const auto& [key, service] : services_) {
    if (!service.exists()) continue;
    bool has = service.address() == address;
    for (const auto& [name, slice] : service.slices)
      for (const Endpoint& endpoint : slice.endpoints) has = has || endpoint.address == address;
    if (has) out.push_back(&service);
  }
  return out;
}

}  // namespace keelson::net
