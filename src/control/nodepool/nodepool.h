// Node pools: keeps as many Node objects as the pools of the Platform objects ask for (their
// minimum), spread over the zones of each pool. Without any pool there is one node, "local", as
// large as this machine: a Platform may be there for its stand-ins alone.
//
// Nodes are named POOL-1, POOL-2 ...; they carry zone, region, instance type, price and capacity as
// labels and annotations, which is all that whoever hosts them (node/) needs to know. A node that
// is not in a pool is left alone.
#pragma once

#include <string>

#include "cluster/cluster.h"

namespace keelson::control {

inline constexpr std::string_view kPoolLabel = "keelson.dev/pool";
inline constexpr std::string_view kCapacityAnnotation =
    "keelson.dev/capacity";  // JSON: resource -> quantity
inline constexpr std::string_view kPriceAnnotation =
    "keelson.dev/price-per-hour";  // decimal, in the platform's currency
inline constexpr std::string_view kLocalPool = "local";

struct LocalMachine {
  codec::Value capacity;  // {"cpu": "2", "memory": "24Gi", "pods": "110"}; null: no local node
};

class NodePoolController : public cluster::Controller {
 public:
  explicit NodePoolController(LocalMachine machine) : machine_(std::move(machine)) {}
  std::string_view name() const override { return "nodepool"; }
  std::vector<cluster::Watch> watches() const override;
  std::vector<cluster::Key> start(const cluster::View& view) override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  LocalMachine machine_;
};

}  // namespace keelson::control
