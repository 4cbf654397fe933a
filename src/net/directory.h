// Directory: Services with their endpoints, as DNS, the service rules and the Ingress read them.
// Fed by watches; pure. It keeps what the objects say and decides only which endpoints take
// traffic, in one place for all readers.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "codec/value.h"

namespace keelson::net {

using cluster::Key;
using codec::Value;

struct Endpoint {
  std::uint32_t address = 0;
  std::string pod;       // name of the target, empty if it is no pod
  std::string hostname;  // as the pod's spec gives it
  std::string node;
  bool ready = true, serving = true, terminating = false;
  bool operator==(const Endpoint&) const = default;
};

struct EndpointPort {
  std::string name, protocol;
  int port = 0;
  bool operator==(const EndpointPort&) const = default;
};

// An EndpointSlice: every endpoint has every port.
struct Slice {
  std::vector<EndpointPort> ports;
  std::vector<Endpoint> endpoints;
  bool operator==(const Slice&) const = default;
};

// A place for connections of one service port.
struct Target {
  std::uint32_t address = 0;
  int port = 0;
  std::string pod;
  bool draining = false;  // serves what it has, gets nothing new
  auto operator<=>(const Target&) const = default;
};

struct ServicePort {
  std::string name, protocol;
  int port = 0, node_port = 0;
};

struct Service {
  Key key;
  Value object;  // null: only its slices are known
  std::map<std::string, Slice> slices;

  bool exists() const { return !object.is_null(); }
  std::string_view type() const { return object["spec"]["type"].as_string("ClusterIP"); }
  bool is_headless() const { return object["spec"]["clusterIP"].as_string() == "None"; }
  std::uint32_t address() const;  // the cluster address, 0 if none
  std::vector<ServicePort> ports() const;
  // Sorted by address, without doubles. The ready ones; if there is none, those that still serve
  // while they end (as kube-proxy, since 1.26).
  std::vector<Target> targets(const ServicePort& port) const;
  // All that may hold connections: the targets, and those that are to be drained.
  std::vector<Target> targets_and_draining(const ServicePort& port) const;
};

class Directory {
 public:
  // What a watch reported; before or after is null. Gives the key of the Service whose picture may
  // have changed.
  Key service_changed(const Value& before, const Value& after);
  Key slice_changed(const Value& before, const Value& after);
  void namespace_changed(const Value& before, const Value& after);

  // Null if neither the Service nor a slice of it is known.
  const Service* find(std::string_view ns, std::string_view name) const;
  const std::map<Key, Service>& services() const { return services_; }
  bool has_namespace(std::string_view name) const { return namespaces_.count(name) > 0; }
  // Services that have this cluster address, or endpoints with it.
  std::vector<const Service*> by_address(std::uint32_t address) const;

 private:
  void drop_if_empty(const Key& key);
  std::map<Key, Service> services_;
  std::set<std::string, std::less<>> namespaces_;
};

Slice parse_slice(const Value& slice);

}  // namespace keelson::net
