// The garbage collector: an object whose owners are all gone is deleted; one that is deleted in the
// foreground waits for what it owns, one that is to orphan its dependents lets go of them first.
//
// A key names an object of any resource: {namespace, "deployments.apps/web"}. The graph of owners
// is the view's own index; the collector remembers only which resources own or are owned at all.
// Behaviour: pkg/controller/garbagecollector of Kubernetes 1.36.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "control/common/kinds.h"
#include "control/common/script.h"

namespace keelson::control {

// An object with the resource it belongs to.
struct GraphNode {
  std::string resource;
  Value object;
};

// All that one sync decides on.
struct GcInputs {
  GraphNode item;
  struct Owner {
    Value reference;
    Value object;       // null if it is gone, or another one of the same name
    bool known = true;  // false: its kind is not served (yet), so nothing can be said
  };
  std::vector<Owner> owners;          // in the order of metadata.ownerReferences
  std::vector<GraphNode> dependents;  // that refer to the item's uid
};

Result<void> collect(const GcInputs& inputs, Script& script);

class GarbageCollector : public cluster::Controller {
 public:
  explicit GarbageCollector(std::vector<ObjectKind> kinds) : kinds_(std::move(kinds)) {}
  std::string_view name() const override { return "garbage-collector"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  std::vector<cluster::Key> keys(const cluster::View& view, const ObjectKind& kind,
                                 const Value& before, const Value& after) const;
  GcInputs::Owner owner_of(const cluster::View& view, const Value& object,
                           const Value& reference) const;
  const ObjectKind* kind_of(const Value& reference) const;
  std::vector<GraphNode> dependents_of(const cluster::View& view, const Value& object) const;

  std::vector<ObjectKind> kinds_;
  mutable std::set<std::string> with_owners_;  // resources of which some object had an owner
};

}  // namespace keelson::control
