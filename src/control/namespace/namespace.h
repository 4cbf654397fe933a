// The namespace controller: empties a namespace that is being deleted, pods first, tells by
// conditions what is left, and lets it go once nothing is.
// Behaviour: pkg/controller/namespace of Kubernetes 1.36, with ordered deletion. Where the original
// looks again after half of a pod's grace period, this one is woken by what goes.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/cluster.h"
#include "control/common/kinds.h"
#include "control/common/script.h"

namespace keelson::control {

// All that one sync decides on.
struct NamespaceInputs {
  Value namespace_;
  // What the namespace contains, by resource; resources without objects are absent.
  std::map<std::string, std::vector<Value>> content;
  Instant now;
};

Result<void> empty_namespace(const NamespaceInputs& inputs, Script& script);

class NamespaceController : public cluster::Controller {
 public:
  explicit NamespaceController(std::vector<ObjectKind> kinds) : kinds_(std::move(kinds)) {}
  std::string_view name() const override { return "namespace-controller"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  std::vector<ObjectKind> kinds_;
};

}  // namespace keelson::control
