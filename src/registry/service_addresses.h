// Service addresses: which ClusterIPs and NodePorts are taken. Filled from the Services and the
// IPAddresses in the store and kept in step with them, so it needs no records of its own. Which
// ranges there are, ServiceRanges knows; the IPAddresses of Services are made in address_objects.h.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "base/result.h"
#include "codec/value.h"
#include "registry/service_ranges.h"

namespace keelson::registry {

// The cluster addresses that a Service holds; none for null.
std::vector<std::string> service_addresses(const codec::Value& service);

class ServiceAddresses {
 public:
  ServiceAddresses(std::string_view range, int port_first, int port_last);

  // Keeps in step: `before` and `after` are Services or null.
  void observe(const codec::Value& before, const codec::Value& after);

  // Completes a Service that is about to be stored: cluster addresses, node ports, health check
  // port. `old` is null on creation. With `dry`, numbers are made up without being looked at.
  // Fails with what is wrong with the addresses asked for ("provided IP is already allocated").
  Result<void> complete(codec::Value& service, const codec::Value& old, bool dry, Prng& rng);

  // What a change of type has no more use for goes, unless the client touched it.
  static void drop_unused(codec::Value& service, const codec::Value& old);

  // IPAddresses, whoever made them, and ServiceCIDRs; null as above.
  void observe_address(const codec::Value& before, const codec::Value& after);
  void observe_range(const codec::Value& before, const codec::Value& after) {
    ranges_.observe(before, after);
  }

  bool is_held(const std::string& address) const { return addresses_.contains(address); }

 private:
  bool is_taken(const std::string& address) const {
    return is_held(address) || reserved_.contains(address);
  }
  int allocate_port(Prng& rng, const std::set<int>& now_taken) const;
  Result<void> complete_addresses(codec::Value& spec, const codec::Value& old, bool dry, Prng& rng,
                                  std::vector<Cause>& causes) const;
  Result<void> complete_ports(codec::Value& service, const codec::Value& old, bool dry, Prng& rng,
                              std::vector<Cause>& causes) const;
  // Why a port cannot be had; empty: it can.
  std::string port_problem(int port) const;

  ServiceRanges ranges_;
  int port_first_, port_last_;
  std::map<std::string, int> addresses_;  // of Services, to the number of holders
  std::set<std::string> reserved_;        // of IPAddresses
  std::map<int, int> ports_;
};

}  // namespace keelson::registry
