// Attaching is done at once on the loop: the kernel needs about a millisecond. Removing a link
// waits for a grace period of the kernel and is done beside the loop.
#include "net/pod_network.h"

#include <cstdio>

#include "base/check.h"

namespace keelson::net {

std::optional<std::uint32_t> AddressPool::take() {
  const std::uint32_t last = range_.address | ~mask_of(range_.length);
  for (std::uint32_t tried = 0; tried < last - range_.address; ++tried) {
    const std::uint32_t address = next_;
    next_ = next_ + 1 >= last ? range_.address + 2 : next_ + 1;
    if (reserve(address)) return address;
  }
  return std::nullopt;
}

bool AddressPool::reserve(std::uint32_t address) {
  const std::uint32_t last = range_.address | ~mask_of(range_.length);
  if (address < range_.address + 2 || address >= last) return false;
  return taken_.insert(address).second;
}

BridgePodNetwork::BridgePodNetwork(host::Loop& loop, host::Links& links, host::Files& files,
                                   Options options)
    : loop_(loop),
      links_(links),
      files_(files),
      options_(std::move(options)),
      pool_(options_.plan.pods) {
  (void)files_.make_directories(options_.namespaces);
  find_left_behind();
  if (left_behind_.empty()) return;
  sweep_ = loop_.call_at(loop_.now() + options_.adoption, [this] { remove_left_behind(); });
}

std::string BridgePodNetwork::path_of(std::uint32_t address) const {
  return options_.namespaces + "/" + options_.plan.bridge + "-" + address_text(address);
}

std::string BridgePodNetwork::link_of(std::uint32_t address) const {
  char text[16];
  std::snprintf(text, sizeof text, "p%05x", address - options_.plan.pods.address);
  return options_.plan.bridge + text;
}

void BridgePodNetwork::find_left_behind() {
  const auto names = files_.list(options_.namespaces);
  if (!names.ok()) return;
  const std::string prefix = options_.plan.bridge + "-";
  for (const std::string& name : *names) {
    if (!name.starts_with(prefix)) continue;
    const auto address = parse_address(std::string_view(name).substr(prefix.size()));
    if (address && pool_.reserve(*address)) left_behind_.insert(*address);
  }
}

void BridgePodNetwork::remove_left_behind() {
  sweep_.reset();
  const std::set<std::uint32_t> left = std::exchange(left_behind_, {});
  for (const std::uint32_t address : left) forget(address, [] {});
}

void BridgePodNetwork::attach(const codec::Value& pod,
                              std::function<void(Result<cluster::PodAttachment>)> done) {
  const auto address = pool_.take();
  if (!address)
    return done(Error{Reason::internal_error,
                      "no pod address of " + prefix_text(options_.plan.pods) + " is free"});
  const host::PodLink link{.host_name = link_of(*address),
                           .bridge = options_.plan.bridge,
                           .namespace_path = path_of(*address),
                           .address = *address,
                           .gateway = options_.plan.gateway(),
                           .mtu = options_.mtu};
  if (auto attached = links_.attach_pod(link); !attached.ok()) {
    pool_.give_back(*address);
    return done(attached.error());
  }
  in_use_.insert(*address);
  done(cluster::PodAttachment{.network_namespace = link.namespace_path,
                              .address = address_text(*address),
                              .reachable = true,
                              .resolver = resolver_text(pod, options_.resolver)});
}

void BridgePodNetwork::adopt(const codec::Value&, const cluster::PodAttachment& attachment) {
  const auto address = parse_address(attachment.address);
  if (!address || attachment.network_namespace != path_of(*address)) return;
  left_behind_.erase(*address);
  (void)pool_.reserve(*address);
  in_use_.insert(*address);
}

void BridgePodNetwork::detach(const codec::Value&, const cluster::PodAttachment& attachment,
                              std::function<void()> done) {
  const auto address = parse_address(attachment.address);
  // One of another time (the range changed since) or a second call.
  if (!address || in_use_.erase(*address) == 0) return done();
  forget(*address, std::move(done));
}

void BridgePodNetwork::forget(std::uint32_t address, std::function<void()> done) {
  loop_.offload([&links = links_, link = link_of(address),
                 path = path_of(address)] { links.detach_pod(link, path); },
                [this, alive = std::weak_ptr<bool>(alive_), address, done = std::move(done)] {
                  if (!alive.expired()) pool_.give_back(address);
                  done();
                });
}

void BridgePodNetwork::remove_all() {
  sweep_.reset();
  left_behind_.merge(in_use_);
  in_use_.clear();
  for (const std::uint32_t address : left_behind_)
    links_.detach_pod(link_of(address), path_of(address));
  left_behind_.clear();
}

}  // namespace keelson::net
