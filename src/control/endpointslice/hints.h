// Hints of slices: which zones (and nodes) an endpoint is for. With topology-mode Auto, endpoints
// are shared out by the CPU of the zones as long as no endpoint gets more than 20 % above its
// share; with trafficDistribution each endpoint is for its own place; otherwise there are none.
// Behaviour: staging/src/k8s.io/endpointslice/topologycache and trafficdist of Kubernetes 1.36.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "codec/value.h"

namespace keelson::control {

struct HintEvent {
  bool warning = true;
  std::string reason, message;
};

// The slices of one service and address type that are about to be written, and those that are not.
// Hints that change move a slice from `unchanged` to `updates`.
struct HintedSlices {
  std::vector<codec::Value> creates, updates, unchanged;
  std::vector<HintEvent> events = {};
};

// Shares of the zones in the CPU of all ready nodes; empty if a node does not tell its zone or CPU,
// or if there is only one zone.
std::map<std::string, double> cpu_by_zone(const std::vector<codec::Value>& nodes);

// What is remembered of hints given by topology-mode Auto.
class TopologyHints {
 public:
  void set_zones(std::map<std::string, double> shares) { shares_ = std::move(shares); }
  // Of services whose endpoints no longer suit the zones; "NAMESPACE/NAME".
  std::vector<std::string> overloaded() const;
  void forget(const std::string& service, const std::string& address_type);
  void forget_service(const std::string& service);
  bool has_hints(const std::string& service) const { return populated_.contains(service); }
  void add(const std::string& service, const std::string& address_type, HintedSlices& slices);

 private:
  struct Allocation {
    int minimum = 0, maximum = 0;
    double desired = 0;
  };
  using Allocations = std::map<std::string, Allocation>;
  using Counts = std::map<std::string, int>;
  std::string allocate(int endpoints, Allocations& out) const;  // why it cannot, or empty
  static bool count_hints(const codec::Value& slice, const Allocations& allocations,
                          Counts& counts);
  static void redistribute(std::vector<codec::Value*> slices, const Allocations& allocations,
                           Counts& counts);

  std::map<std::string, double> shares_;
  std::map<std::string, std::map<std::string, Counts>> given_;  // service, address type, zone
  std::set<std::string> populated_;
};

bool wants_topology_hints(const codec::Value& service);
// trafficDistribution, if it is one that gives hints; empty otherwise.
std::string_view traffic_distribution(const codec::Value& service);
void remove_hints(HintedSlices& slices);
void add_traffic_hints(std::string_view distribution, HintedSlices& slices);

}  // namespace keelson::control
