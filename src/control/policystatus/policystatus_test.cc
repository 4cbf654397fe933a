#include "control/policystatus/policystatus.h"

#include <gtest/gtest.h>

#include "codec/json.h"
#include "sched/memory_view.h"

namespace keelson::control {
namespace {

using codec::Value;

TEST(PolicyStatus, IsWrittenOnceForEachGeneration) {
  sched::MemoryView view;
  Value policy = *codec::parse_json(R"({
      "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
      "metadata": {"name": "p", "generation": 1},
      "spec": {"matchConstraints": {"resourceRules": [
                 {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]},
               "validations": [{"expression": "object.spec.foo == 1"}]}})");
  const std::string resource = "validatingadmissionpolicies.admissionregistration.k8s.io";
  view.put(resource, policy);
  PolicyStatusController controller{model::TypeTable()};
  Prng rng(1);
  const cluster::Key key{"", "p"};
  const cluster::Plan plan = controller.reconcile({view, key, Instant(), rng});
  ASSERT_EQ(plan.writes.size(), 1U);
  const Value& status = plan.writes[0].object["status"];
  EXPECT_EQ(plan.writes[0].subresource, "status");
  EXPECT_EQ(status["observedGeneration"].as_int(), 1);
  EXPECT_EQ(status["typeChecking"]["expressionWarnings"][0]["fieldRef"].as_string(),
            "spec.validations[0].expression");
  policy.set("status", status);
  view.put(resource, policy);
  EXPECT_TRUE(controller.reconcile({view, key, Instant(), rng}).writes.empty());
}

}  // namespace
}  // namespace keelson::control
