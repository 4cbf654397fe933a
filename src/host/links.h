// Links: bridges, veth pairs and network namespaces of the host, as the pod network needs them.
// Synchronous, because the kernel answers within microseconds. host/linux speaks netlink.
//
// Every call needs CAP_NET_ADMIN, and those of pods CAP_SYS_ADMIN; usable() says whether they are
// there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace keelson::host {

// IPv4, host byte order.
struct Prefix {
  std::uint32_t address = 0;
  int length = 32;
  auto operator<=>(const Prefix&) const = default;
};

struct Link {
  int index = 0;
  std::string name;
  std::string alias;  // ifalias; names the owner of a link that is ours
  int mtu = 1500;
};

// A pod's end of the network: a veth pair between `bridge` and a fresh namespace.
struct PodLink {
  std::string host_name;       // of the bridge's end; at most 15 bytes
  std::string bridge;          //
  std::string namespace_path;  // a file that is made; it keeps the namespace alive
  std::uint32_t address = 0;   // of eth0 inside, with /32; all traffic goes through `gateway`
  std::uint32_t gateway = 0;   //
  int mtu = 1500;
};

class Links {
 public:
  virtual ~Links() = default;
  // Error: forbidden, saying what is missing.
  virtual Result<void> usable() = 0;
  virtual Result<std::vector<Link>> links() = 0;
  // Destinations of routes and subnets of addresses, except the default route and loopback's.
  virtual Result<std::vector<Prefix>> prefixes_in_use() = 0;
  // The link of the default route; empty name if there is none.
  virtual Result<Link> uplink() = 0;
  // The bridge comes up with its alias and the address. Error: already_exists.
  virtual Result<void> add_bridge(const std::string& name, const std::string& alias, int mtu) = 0;
  // Already there: no error.
  virtual Result<void> add_address(const std::string& link, Prefix address) = 0;
  virtual Result<void> add_route(const std::string& link, Prefix to, std::uint32_t source) = 0;
  // Not there: no error.
  virtual Result<void> remove_link(const std::string& name) = 0;
  // /proc/sys/net/ipv4/conf/LINK/NAME = 1. Error: forbidden.
  virtual Result<void> switch_on(const std::string& link, const std::string& name) = 0;

  virtual Result<void> attach_pod(const PodLink& pod) = 0;
  // Removes the veth pair and the namespace's file. Not there: no error. Any thread.
  virtual void detach_pod(const std::string& host_name, const std::string& namespace_path) = 0;
  // Whether the path is a live network namespace (not a file left behind by a reboot).
  virtual bool is_namespace(const std::string& path) = 0;
  // Numeric addresses of this host's other links, the default route's first; loopback not among
  // them.
  virtual std::vector<std::string> host_addresses() = 0;
};

}  // namespace keelson::host
