// Backend: what the runtime needs of a cluster beyond cluster::Cluster: to write in somebody's name
// and to be told of changes at a moment of its choosing.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cluster/cluster.h"

namespace keelson::runtime {

class Backend : public cluster::Cluster {
 public:
  // As commit, in the name of a component such as "deployment-controller" or "kubelet/n1".
  virtual void commit_as(std::string_view component, cluster::Write write,
                         std::function<void(Result<cluster::Value>)> done) = 0;
  // Calls the watches now for every change that the view shows already, so that a decision taken
  // next was preceded by all of them. Does nothing where changes come by themselves.
  virtual void deliver_changes() = 0;
};

}  // namespace keelson::runtime
