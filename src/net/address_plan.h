// Which addresses an engine has: a bridge, a range for its pods and one for its Services, chosen so
// that engines side by side, and the host's own networks, never share one. The choice is kept in
// the data directory; the bridge on the host is the claim that other engines see.
//
// Invariant: the service range of a data directory never changes, for Services hold addresses of
// it. The range of the pods may change while no bridge of ours exists, for then no pod runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/value.h"
#include "host/files.h"
#include "host/links.h"
#include "net/address.h"

namespace keelson::net {

// Where the ranges of all engines are taken from.
inline constexpr Prefix kPodSpace{0x0af40000, 14};      // 10.244.0.0/14
inline constexpr Prefix kServiceSpace{0x0a600000, 12};  // 10.96.0.0/12

struct AddressPlan {
  std::string bridge;  // "kls0"; empty: no network of our own, everything is on loopback
  Prefix pods{0x0af40000, 20};
  Prefix services{0x0a600000, 16};  // 10.96.0.0/16
  // Another engine's service range is the same: this host's processes reach the other one.
  bool services_shared = false;
  bool adopted = false;             // the bridge was there: pods of an earlier process may run
  std::vector<std::string> losses;  // what does not work here and why, for `keelson status`

  bool live() const { return !bridge.empty(); }
  std::uint32_t gateway() const { return pods.address + 1; }  // the bridge's address
  std::uint32_t dns_address() const { return services.address + 10; }
};

struct AddressPlanOptions {
  std::string directory;           // the data directory
  std::string service_range = {};  // as asked for on the command line; empty: chosen
  std::string pod_range = {};      // likewise
  bool enabled = true;             // false: loopback only
};

// Reads or makes the plan and, where privileges allow, the bridge with its routes. To be called
// before the registry opens, which needs the service range. Error: only for a malformed option or
// an unreadable state file; missing privileges are losses.
Result<AddressPlan> claim_addresses(host::Links& links, host::Files& files,
                                    const AddressPlanOptions& options);
// What an earlier engine of this data directory has claimed and nobody gave back; not live() where
// there is nothing. Makes and changes nothing.
AddressPlan claimed_addresses(host::Links& links, host::Files& files, const std::string& directory);
// Gives the bridge back (the pods have ended). What is in the data directory stays.
void release_addresses(host::Links& links, const AddressPlan& plan);

// The decisions, pure. `number` spreads engines: 0 for the first bridge of the host.
std::optional<Prefix> choose_pod_range(const std::vector<Prefix>& used, int number);
std::optional<Prefix> choose_service_range(const std::vector<Prefix>& used, int number);

// A small JSON file of the data directory: whole or not at all. Reading an absent one gives null.
Result<codec::Value> read_state(host::Files& files, const std::string& path);
Result<void> write_state(host::Files& files, const std::string& path, const codec::Value& state);

}  // namespace keelson::net
