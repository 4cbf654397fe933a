// MemoryView: a fixed set of objects as a cluster::View, for recordings, tests and benchmarks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster/cluster.h"

namespace keelson::sched {

class MemoryView : public cluster::View {
 public:
  void put(std::string_view resource, codec::Value object);
  void remove(std::string_view resource, std::string_view ns, std::string_view name);

  codec::Value get(std::string_view resource, std::string_view ns,
                   std::string_view name) const override;
  std::vector<codec::Value> list(std::string_view resource,
                                 std::string_view ns = {}) const override;
  std::vector<codec::Value> owned_by(std::string_view resource,
                                     std::string_view uid) const override;

 private:
  using Objects = std::map<cluster::Key, codec::Value>;
  std::map<std::string, Objects, std::less<>> resources_;
};

// "pods" for "Pod", "replicasets.apps" for "ReplicaSet": for the kinds that the scheduler reads;
// empty for others.
std::string_view resource_of_kind(std::string_view kind);

}  // namespace keelson::sched
