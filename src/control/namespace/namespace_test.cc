#include "control/namespace/namespace.h"

#include <gtest/gtest.h>

#include "model/meta.h"

namespace keelson::control {
namespace {

using Verb = cluster::Write::Verb;

Value object(std::string_view kind, std::string_view name) {
  return Value::object({{"apiVersion", "v1"},
                        {"kind", kind},
                        {"metadata", Value::object({{"name", name},
                                                    {"namespace", "shop"},
                                                    {"uid", std::string(name) + "-uid"}})}});
}

NamespaceInputs going() {
  NamespaceInputs inputs;
  inputs.now = Instant::unix_seconds(1'800'000'000);
  inputs.namespace_ = Value::object(
      {{"apiVersion", "v1"},
       {"kind", "Namespace"},
       {"metadata",
        Value::object({{"name", "shop"}, {"deletionTimestamp", "2026-01-01T00:00:00Z"}})},
       {"spec", Value::object({{"finalizers", Value::array({"kubernetes"})}})},
       {"status", Value::object({{"phase", "Terminating"}})}});
  return inputs;
}

cluster::Plan plan_for(const NamespaceInputs& inputs) {
  return Script::run([inputs](Script& script) { return empty_namespace(inputs, script); });
}

Value answer(const cluster::Write& write, bool stays) {
  Value object = write.object.is_null() ? Value::object() : write.object;
  if (stays) object.edit("metadata").set("deletionTimestamp", "2026-01-01T00:00:30Z");
  return object;
}

TEST(Namespace, AnEmptyOneIsToldSoAndLetGo) {
  cluster::Plan plan = plan_for(going());
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].subresource, "status");
  const Value conditions = plan.writes[0].object.at("status.conditions");
  ASSERT_EQ(conditions.size(), 5u);
  EXPECT_EQ(conditions[3]["message"].as_string(), "All content successfully removed");
  plan = plan.then({plan.writes[0].object});
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].subresource, "finalize");
  EXPECT_TRUE(plan.writes[0].object["spec"]["finalizers"].empty());
}

TEST(Namespace, PodsGoBeforeAnythingElse) {
  NamespaceInputs inputs = going();
  inputs.content["configmaps"] = {object("ConfigMap", "c")};
  inputs.content["pods"] = {object("Pod", "a"), object("Pod", "b")};
  cluster::Plan plan = plan_for(inputs);
  ASSERT_EQ(plan.writes.size(), 2u);
  EXPECT_EQ(plan.writes[0].resource, "pods");
  EXPECT_EQ(plan.writes[0].uid, "a-uid");
  // One pod goes at once, the other has its grace period: the rest waits for it.
  plan = plan.then({answer(plan.writes[0], false), answer(plan.writes[1], true)});
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].subresource, "status");
  EXPECT_EQ(plan.writes[0].object.at("status.conditions")[3]["message"].as_string(),
            "Some resources are remaining: pods. has 1 resource instances");
  plan = plan.then({plan.writes[0].object});
  EXPECT_TRUE(plan.writes.empty());
  EXPECT_TRUE(plan.wake_at.has_value());
}

TEST(Namespace, FinalizersAreNamed) {
  NamespaceInputs inputs = going();
  Value held = object("ConfigMap", "c");
  held.edit("metadata").set("deletionTimestamp", "2026-01-01T00:00:00Z");
  held.edit("metadata").set("finalizers", Value::array({"example.com/hold"}));
  inputs.content["configmaps"] = {held};
  const cluster::Plan plan = plan_for(inputs);
  ASSERT_EQ(plan.writes.size(), 1u) << "what is being deleted is not deleted again";
  EXPECT_EQ(plan.writes[0].object.at("status.conditions")[4]["message"].as_string(),
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 "
            "resource instances");
}

TEST(Namespace, AnActiveOneIsLeftAlone) {
  NamespaceInputs inputs = going();
  inputs.namespace_.edit("metadata").erase("deletionTimestamp");
  inputs.content["pods"] = {object("Pod", "a")};
  EXPECT_TRUE(plan_for(inputs).writes.empty());
}

}  // namespace
}  // namespace keelson::control
