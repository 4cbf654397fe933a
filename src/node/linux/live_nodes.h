// LiveNodes: everything of this room for a live engine, put together: driver (crun, or processes
// where privileges are missing), images, hosted nodes, streams.
//
//   LiveNodes nodes(loop, sockets, processes, cluster, &network, {.directory = data + "/node"});
//   nodes.start([](Result<void> started) { ... });
//   server_parts.pod_streams = &nodes.streams();
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cluster/pod_network.h"
#include "host/loop.h"
#include "host/processes.h"
#include "host/sockets.h"
#include "node/linux/image_store.h"
#include "node/linux/process_driver.h"
#include "node/node_host.h"
#include "node/pod_streams.h"
#include "node/stand_in_rules.h"

namespace keelson::node {

struct LiveNodesOptions {
  std::string directory;         // of the node room; short (sockets lie in it)
  std::string name = "keelson";  // of the engine
  std::string host_address = "127.0.0.1";
  // Of the engine's own data, and of all engines: not shown to stand-ins.
  std::vector<std::string> hidden_directories = {};
  TokenSource tokens = {};
  bool from_registries = true;
};

class LiveNodes {
 public:
  // network: null for loopback only. All outlive this object.
  LiveNodes(host::Loop& loop, host::Sockets& sockets, host::Processes& processes,
            cluster::Cluster& cluster, cluster::PodNetwork* network, LiveNodesOptions options);

  void start(std::function<void(Result<void>)> done);
  // Ends every container and the keeper (`down`); the objects stay.
  void stop(std::function<void()> done);

  NodeHost& host() { return *host_; }
  NodePodStreams& streams() { return *streams_; }
  ImageStore& images() { return *images_; }
  Scale scale() const;
  // What is wrong at present, a line each.
  std::vector<std::string> problems() const;
  // Empty, or what is missing for real containers: then pods are plain processes.
  const std::string& lost() const { return lost_; }

 private:
  cluster::Cluster& cluster_;
  std::string lost_;
  std::unique_ptr<cluster::PodNetwork> own_network_;
  std::unique_ptr<CrunDriver> driver_;
  std::unique_ptr<ImageStore> images_;
  std::unique_ptr<NodeHost> host_;
  std::unique_ptr<NodePodStreams> streams_;
};

// Ends the containers that an engine left running when it was killed, and their keeper, by the
// records on disk alone: no store is read, no object is written. done: how many pods there were.
// Everything given outlives the call; `options` as the engine's own.
class LeftBehind {
 public:
  LeftBehind(host::Loop& loop, host::Sockets& sockets, host::Processes& processes,
             cluster::PodNetwork* network, LiveNodesOptions options);
  void end(std::function<void(Result<std::size_t>)> done);

 private:
  std::unique_ptr<cluster::PodNetwork> own_network_;
  std::unique_ptr<CrunDriver> driver_;
};

// What this machine offers a node: all of it, the engine itself is small.
Value machine_capacity();
// status.nodeInfo of this machine.
Value machine_info(std::string_view kubelet_version = "v1.36.1");

}  // namespace keelson::node
