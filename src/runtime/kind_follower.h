// KindFollower: keeps controllers that walk objects of every kind in step with what is served. They
// take the kinds once, when they are made; when definitions of custom resources come or go, they
// are replaced by new ones. Changes that come together (an installation brings dozens) count once.
//
//   KindFollower follower(loop, cluster, manager, [&] { return registry.served_generation(); },
//                         [&] { return control::controllers_of_all_kinds(registry.types()); });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "cluster/cluster.h"
#include "host/loop.h"
#include "runtime/manager.h"

namespace keelson::runtime {

class KindFollower {
 public:
  using Make = std::function<std::vector<std::unique_ptr<cluster::Controller>>()>;
  // Starts the controllers. `generation` counts up with every change of what is served.
  KindFollower(host::Loop& loop, cluster::Cluster& cluster, Manager& manager,
               std::function<std::int64_t()> generation, Make make);

 private:
  void look_soon();
  void replace();

  host::Loop& loop_;
  Manager& manager_;
  std::function<std::int64_t()> generation_;
  Make make_;
  std::int64_t seen_ = -1;
  std::shared_ptr<void> watch_, timer_;
};

}  // namespace keelson::runtime
