// The engine's nodes: driver, images and node host, put together for this machine.
#pragma once

#include <memory>
#include <string>

#include "cluster/pod_network.h"
#include "host/linux/loop.h"
#include "host/processes.h"
#include "host/sockets.h"
#include "node/linux/crun_driver.h"
#include "node/linux/image_store.h"
#include "node/node_host.h"
#include "node/pod_streams.h"
#include "registry/registry.h"
#include "runtime/embedded_cluster.h"

namespace keelson::app {

// What this machine offers the node "local": all of it, the engine itself is small.
codec::Value machine_capacity();

struct NodeParts {
  host::LinuxLoop& loop;
  host::Sockets& sockets;
  host::Processes& processes;
  runtime::EmbeddedCluster& cluster;
  registry::Registry& registry;
  cluster::PodNetwork& network;
  std::string name, directory;
};

class EngineNodes {
 public:
  // Why pods cannot run here; empty: they can.
  static std::string why_not() { return node::CrunDriver::why_not(); }
  explicit EngineNodes(const NodeParts& parts);
  void start();
  void stop(std::function<void()> done);
  node::NodeHost& host() { return *host_; }
  node::NodePodStreams& streams() { return *streams_; }

 private:
  std::unique_ptr<cluster::Cluster> kubelet_;
  std::unique_ptr<node::CrunDriver> driver_;
  std::unique_ptr<node::ImageStore> images_;
  std::unique_ptr<node::NodeHost> host_;
  std::unique_ptr<node::NodePodStreams> streams_;
};

}  // namespace keelson::app
