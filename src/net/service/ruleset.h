// Ruleset: the nftables table of an engine as data. What it should be follows from the Directory
// and the addresses; the script between two rulesets touches only what differs. Pure.
//
// A connection to a service address is looked up once by address, protocol and port, and goes to
// the chain of that service port, which turns it to one of its endpoints. Established connections
// are the kernel's own; no change here moves them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "net/address_plan.h"
#include "net/directory.h"

namespace keelson::net {

struct Ruleset {
  // "map services" -> its header, as "type ipv4_addr : verdict;"
  std::map<std::string, std::string> collections;
  // "services" -> element -> what it maps to ("" in a set).
  std::map<std::string, std::map<std::string, std::string>> elements;
  // Chain -> its lines; the first line of a base chain is its hook.
  std::map<std::string, std::vector<std::string>> chains;
  bool operator==(const Ruleset&) const = default;
};

struct RulesetOptions {
  AddressPlan plan;
  std::string table;  // "kls0"
  // Besides what Services say: the cluster's DNS and the API server, which may listen on loopback,
  // where the address of an EndpointSlice cannot be. Pods reach it at the first service address,
  // and at the gateway's api_port, which is what its EndpointSlice shows.
  int dns_port = 53;
  std::uint32_t api_address = 0x7f000001;
  int api_port = 0;  // 0: none
  // Status address of a Service of type LoadBalancer.
  std::map<Key, std::uint32_t> balancers = {};
};

Ruleset build_ruleset(const Directory& directory, const RulesetOptions& options);

// The whole table, replacing one that is there, in one transaction.
std::string whole_script(const std::string& table, const Ruleset& ruleset);
// From one to the other in one transaction; empty if nothing differs.
std::string change_script(const std::string& table, const Ruleset& from, const Ruleset& to);

// 127.<96 + number of the bridge>.x.y for the n-th balancer: an address that only this host reaches
// and no listener of its own holds.
std::uint32_t balancer_address(const std::string& bridge, std::uint32_t n);

}  // namespace keelson::net
