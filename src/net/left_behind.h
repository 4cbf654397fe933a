// LeftBehind: the end of a network whose engine was killed: its haproxy, packet rules, namespaces
// and bridge, found by the data directory alone. It reads no object and makes nothing; a host on
// which nothing was left is left as it is.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cluster/pod_network.h"
#include "host/files.h"
#include "host/links.h"
#include "host/loop.h"
#include "host/processes.h"
#include "host/sockets.h"
#include "net/address_plan.h"

namespace keelson::net {

class BridgePodNetwork;
class Haproxy;
class ServiceProxy;

class LeftBehind {
 public:
  LeftBehind(host::Loop& loop, host::Processes& processes, host::Sockets& sockets,
             host::Files& files, host::Links& links, const std::string& directory);
  ~LeftBehind();
  LeftBehind(const LeftBehind&) = delete;
  LeftBehind& operator=(const LeftBehind&) = delete;

  bool found() const { return plan_.live(); }
  // For whoever ends the pods; null where the engine had no network of its own.
  cluster::PodNetwork* pods();
  // To be called when the pods have ended.
  void end(std::function<void()> done);

 private:
  host::Links& links_;
  AddressPlan plan_;
  std::unique_ptr<BridgePodNetwork> pods_;
  std::unique_ptr<ServiceProxy> rules_;
  std::unique_ptr<Haproxy> haproxy_;
};

}  // namespace keelson::net
