// Service addresses: which ClusterIPs and NodePorts are taken, and by whom. Filled from the
// Services in the store and kept in step with them, so it needs no records of its own.
//
// Like the original, fixed addresses are meant to come from the lower part of the range and
// allocated ones from the upper part: the first min(max(16, size/16), 256) addresses are used last.
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

namespace keelson::registry {

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

  bool is_taken(std::string_view address) const {
    return addresses_.contains(std::string(address));
  }
  bool in_range(std::string_view address) const;

 private:
  std::string allocate_address(Prng& rng) const;
  int allocate_port(Prng& rng, const std::set<int>& now_taken) const;
  void complete_addresses(codec::Value& spec, const codec::Value& old, bool dry, Prng& rng,
                          std::vector<Cause>& causes) const;
  Result<void> complete_ports(codec::Value& service, const codec::Value& old, bool dry, Prng& rng,
                              std::vector<Cause>& causes) const;
  // Why a port cannot be had; empty: it can.
  std::string port_problem(int port) const;

  std::uint32_t base_ = 0, size_ = 0;
  std::string range_;
  int port_first_, port_last_;
  std::map<std::string, int> addresses_;  // to the number of holders
  std::map<int, int> ports_;
};

}  // namespace keelson::registry
