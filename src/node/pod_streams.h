// NodePodStreams: kubectl's logs, exec, attach and port-forward for the pods of a NodeHost.
#pragma once

#include <memory>

#include "cluster/pod_streams.h"
#include "host/loop.h"
#include "host/sockets.h"
#include "node/node_host.h"

namespace keelson::node {

class NodePodStreams : public cluster::PodStreams {
 public:
  // All three outlive this object and every session.
  NodePodStreams(host::Loop& loop, host::Sockets& sockets, cluster::Cluster& cluster,
                 NodeHost& nodes)
      : loop_(loop), sockets_(sockets), cluster_(cluster), nodes_(nodes) {}

  std::shared_ptr<void> logs(const cluster::PodContainer& where, const cluster::LogOptions& options,
                             std::shared_ptr<cluster::Sink> sink,
                             std::function<void(Result<void>)> done) override;
  std::shared_ptr<cluster::Session> exec(const cluster::PodContainer& where,
                                         const cluster::ExecOptions& options,
                                         cluster::ExecEvents events) override;
  std::shared_ptr<cluster::Session> attach(const cluster::PodContainer& where,
                                           const cluster::ExecOptions& options,
                                           cluster::ExecEvents events) override;
  std::shared_ptr<cluster::Session> port_forward(const cluster::PodContainer& where, int port,
                                                 std::shared_ptr<cluster::Sink> out,
                                                 std::function<void(Result<void>)> done) override;

 private:
  // The id of the container's running process; an Error as the kubelet words it.
  Result<std::string> running(const cluster::PodContainer& where) const;

  host::Loop& loop_;
  host::Sockets& sockets_;
  cluster::Cluster& cluster_;
  NodeHost& nodes_;
};

}  // namespace keelson::node
