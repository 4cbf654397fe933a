// PodNetwork: how a pod gets its network namespace and address. The net room implements it with
// bridges and nftables; the node room has a loopback-only one for hosts and tests without. All on
// the loop's thread.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::cluster {

struct PodAttachment {
  // Path of the namespace in the engine's mount namespace; empty: the driver makes a fresh one
  // with loopback only (or, without privileges, none).
  std::string network_namespace;
  std::string address;  // the pod's IP
  // Whether the engine reaches the address from its own namespace. If not, probes and forwarded
  // ports enter the pod's namespace.
  bool reachable = true;
  // Content of /etc/resolv.conf; empty: the host's file.
  std::string resolver;
};

class PodNetwork {
 public:
  virtual ~PodNetwork() = default;
  // Pods with hostNetwork are not attached. `done` once, at once or later. A pod that is attached
  // again gets a new namespace (its sandbox was lost).
  virtual void attach(const codec::Value& pod, std::function<void(Result<PodAttachment>)> done) = 0;
  // An attachment of an earlier engine process that is still in use; announced before any attach.
  virtual void adopt(const codec::Value& pod, const PodAttachment& attachment) = 0;
  // The pod has ended. `attachment` as attach gave it. Detaching twice does no harm.
  virtual void detach(const codec::Value& pod, const PodAttachment& attachment,
                      std::function<void()> done) = 0;
};

}  // namespace keelson::cluster
