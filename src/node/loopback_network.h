// LoopbackNetwork: a PodNetwork for hosts and tests without one. Every pod has an address of its
// own, which only it can reach: its namespace has a loopback device and nothing else.
#pragma once

#include <map>
#include <set>
#include <string>

#include "cluster/pod_network.h"

namespace keelson::node {

class LoopbackNetwork : public cluster::PodNetwork {
 public:
  void attach(const codec::Value& pod,
              std::function<void(Result<cluster::PodAttachment>)> done) override;
  void adopt(const codec::Value& pod, const cluster::PodAttachment& attachment) override;
  void detach(const codec::Value& pod, const cluster::PodAttachment& attachment,
              std::function<void()> done) override;

 private:
  std::set<std::string> taken_;
  std::uint32_t next_ = 1;
};

}  // namespace keelson::node
