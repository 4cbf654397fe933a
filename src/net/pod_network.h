// BridgePodNetwork: each pod in a network namespace of its own, joined to the engine's bridge by a
// veth pair. A pod's address is a /32 whose only neighbour is the bridge, so everything it sends is
// routed by the host and seen by the rules there.
//
// Invariant: an address is free only when no namespace of that address is left, not even of an
// earlier engine process. The names of link and namespace are functions of the address.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "cluster/pod_network.h"
#include "host/files.h"
#include "host/links.h"
#include "host/loop.h"
#include "net/address_plan.h"
#include "net/resolver_text.h"

namespace keelson::net {

// Addresses of a range, given out in turn, so that one just given back rests as long as possible.
// The first (network), second (gateway) and last (broadcast) are never given.
class AddressPool {
 public:
  explicit AddressPool(Prefix range) : range_(range), next_(range.address + 2) {}
  std::optional<std::uint32_t> take();
  bool reserve(std::uint32_t address);  // false: outside the range or taken
  void give_back(std::uint32_t address) { taken_.erase(address); }
  std::size_t taken() const { return taken_.size(); }

 private:
  Prefix range_;
  std::uint32_t next_;
  std::set<std::uint32_t> taken_;
};

class BridgePodNetwork : public cluster::PodNetwork {
 public:
  struct Options {
    AddressPlan plan;
    ResolverOptions resolver;
    int mtu = 1500;
    std::string namespaces = "/run/netns";  // where `ip netns` looks
    // How long namespaces of an earlier process may wait to be adopted.
    Duration adoption = Duration::seconds(60);
  };
  BridgePodNetwork(host::Loop& loop, host::Links& links, host::Files& files, Options options);

  void attach(const codec::Value& pod,
              std::function<void(Result<cluster::PodAttachment>)> done) override;
  void adopt(const codec::Value& pod, const cluster::PodAttachment& attachment) override;
  void detach(const codec::Value& pod, const cluster::PodAttachment& attachment,
              std::function<void()> done) override;

  // Ends every namespace of this engine, adopted or not.
  void remove_all();
  std::size_t attached() const { return in_use_.size(); }

 private:
  std::string path_of(std::uint32_t address) const;
  std::string link_of(std::uint32_t address) const;
  void find_left_behind();
  void remove_left_behind();
  void forget(std::uint32_t address, std::function<void()> done);

  host::Loop& loop_;
  host::Links& links_;
  host::Files& files_;
  Options options_;
  AddressPool pool_;
  std::set<std::uint32_t> in_use_;
  std::set<std::uint32_t> left_behind_;  // found at the start and not adopted so far
  std::shared_ptr<void> sweep_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::net
