// Addresses come from 10.254.0.0/16, the lowest unused one after the last.
#include "node/loopback_network.h"

namespace keelson::node {

void LoopbackNetwork::attach(const codec::Value&,
                             std::function<void(Result<cluster::PodAttachment>)> done) {
  for (std::uint32_t tried = 0; tried < 65'000; tried++) {
    const std::uint32_t n = next_;
    next_ = next_ >= 65'000 ? 1 : next_ + 1;
    cluster::PodAttachment attachment;
    attachment.address = "10.254." + std::to_string(n >> 8 & 255) + "." + std::to_string(n & 255);
    attachment.reachable = false;
    if (!taken_.insert(attachment.address).second) continue;
    return done(std::move(attachment));
  }
  done(Error{Reason::internal_error, "no pod address is free"});
}

void LoopbackNetwork::adopt(const codec::Value&, const cluster::PodAttachment& attachment) {
  taken_.insert(attachment.address);
}

void LoopbackNetwork::detach(const codec::Value&, const cluster::PodAttachment& attachment,
                             std::function<void()> done) {
  taken_.erase(attachment.address);
  done();
}

}  // namespace keelson::node
