// Says in the status of every ValidatingAdmissionPolicy which of its expressions do not fit the
// types that it speaks of, once for each generation.
// Behaviour: pkg/controller/validatingadmissionpolicystatus.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "cluster/cluster.h"
#include "model/types.h"

namespace keelson::control {

class PolicyStatusController : public cluster::Controller {
 public:
  explicit PolicyStatusController(model::TypeTable types) : types_(std::move(types)) {}
  std::string_view name() const override { return "validatingadmissionpolicy-status"; }
  std::vector<cluster::Watch> watches() const override;
  cluster::Plan reconcile(const cluster::Sync& sync) override;

 private:
  model::TypeTable types_;
};

}  // namespace keelson::control
