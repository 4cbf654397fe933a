#include "control/policystatus/policystatus.h"

#include <string>

#include "control/common/templates.h"
#include "model/cel/policy_types.h"

namespace keelson::control {
namespace {

using codec::Value;

constexpr std::string_view kPolicies = "validatingadmissionpolicies.admissionregistration.k8s.io";

}  // namespace

std::vector<cluster::Watch> PolicyStatusController::watches() const {
  return {cluster::watch_self(std::string(kPolicies))};
}

cluster::Plan PolicyStatusController::reconcile(const cluster::Sync& sync) {
  const Value policy = sync.view.get(kPolicies, "", sync.key.name);
  const std::int64_t generation = policy["metadata"]["generation"].as_int();
  if (policy.is_null() || generation <= policy["status"]["observedGeneration"].as_int()) return {};
  Value checking = Value::object();
  for (const model::ExpressionWarning& one : model::check_policy_types(policy, types_))
    checking.edit("expressionWarnings")
        .push_back(Value::object({{"fieldRef", one.field}, {"warning", one.text}}));
  const Value status =
      Value::object({{"observedGeneration", generation}, {"typeChecking", std::move(checking)}});
  cluster::Plan plan;
  plan.writes.push_back(apply(kPolicies,
                              Value::object({{"apiVersion", "admissionregistration.k8s.io/v1"},
                                             {"kind", "ValidatingAdmissionPolicy"},
                                             {"metadata", Value::object({{"name", sync.key.name}})},
                                             {"status", status}}),
                              name(), "status"));
  return plan;
}

}  // namespace keelson::control
