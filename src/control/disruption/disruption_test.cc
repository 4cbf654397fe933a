// What the recordings do not show: granted evictions that never come, conditions that grow stale,
// and pods of custom workloads.
#include "control/disruption/disruption.h"

#include <gtest/gtest.h>

#include "model/meta.h"
#include "sched/memory_view.h"

namespace keelson::control {
namespace {

constexpr Instant kNow = Instant::unix_seconds(1'767'225'600);

Value pod(const std::string& name, std::string_view owner_kind = {}) {
  Value pod =
      Value::object({{"metadata", Value::object({{"namespace", "default"},
                                                 {"name", name},
                                                 {"uid", "u-" + name},
                                                 {"labels", Value::object({{"app", "web"}})}})}});
  if (!owner_kind.empty())
    pod.edit("metadata")
        .set("ownerReferences", Value::array({Value::object({{"apiVersion", "example.com/v1"},
                                                             {"kind", owner_kind},
                                                             {"name", "o"},
                                                             {"uid", "u-o"},
                                                             {"controller", true}})}));
  pod.edit("status").set("phase", "Running");
  pod.edit("status").set("conditions",
                         Value::array({Value::object({{"type", "Ready"}, {"status", "True"}})}));
  return pod;
}

Value budget(Value spec) {
  spec.set("selector", Value::object({{"matchLabels", Value::object({{"app", "web"}})}}));
  return Value::object(
      {{"metadata", Value::object({{"namespace", "default"}, {"name", "b"}, {"generation", 1}})},
       {"spec", std::move(spec)}});
}

TEST(Disruption, AnEvictionThatDoesNotComeIsGivenUpAfterTwoMinutes) {
  DisruptionInputs inputs;
  inputs.budget = budget(Value::object({{"minAvailable", 1}}));
  inputs.budget.edit("status").edit("disruptedPods").set("a", to_rfc3339(kNow));
  inputs.pods = {pod("a"), pod("b")};
  inputs.now = kNow + Duration::seconds(1);
  const auto run = [&] {
    return Script::run([&](Script& script) { return sync_budget(inputs, script); });
  };
  cluster::Plan plan = run();
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].object["status"]["currentHealthy"].as_int(), 1);
  EXPECT_EQ(plan.writes[0].object["status"]["disruptedPods"].size(), 1u);
  plan = plan.then({plan.writes[0].object});
  EXPECT_EQ(plan.wake_at, kNow + Duration::milliseconds(120'005));

  inputs.now = *plan.wake_at;
  plan = run();
  ASSERT_EQ(plan.events.size(), 1u);
  EXPECT_EQ(plan.events[0].message,
            "Pod was expected by PDB default/default to be deleted but it wasn't");
  EXPECT_EQ(plan.writes[0].object["status"]["currentHealthy"].as_int(), 2);
  EXPECT_TRUE(plan.writes[0].object["status"]["disruptedPods"].is_null());
}

class DisruptionOf : public ::testing::Test {
 protected:
  Value status() {
    view_.put("poddisruptionbudgets.policy", budget(Value::object({{"maxUnavailable", "50%"}})));
    view_.put("pods", pod("a", "Widget"));
    DisruptionController controller(
        {{"widgets.example.com", "example.com", "Widget", true, path_}});
    const cluster::Key key{"default", "b"};
    const cluster::Plan plan = controller.reconcile({view_, key, kNow, rng_});
    return plan.writes.empty() ? Value() : plan.writes[0].object["status"];
  }
  void widget(Value spec) {
    view_.put(
        "widgets.example.com",
        Value::object(
            {{"metadata", Value::object({{"namespace", "default"}, {"name", "o"}, {"uid", "u-o"}})},
             {"spec", std::move(spec)}}));
  }
  std::string path_ = "spec.size";
  sched::MemoryView view_;
  Prng rng_{1};
};

TEST_F(DisruptionOf, CustomWorkloadsCountByTheirScale) {
  widget(Value::object({{"size", 4}}));
  EXPECT_EQ(status()["expectedPods"].as_int(), 4);
  EXPECT_EQ(status()["desiredHealthy"].as_int(), 2);
}

TEST_F(DisruptionOf, WhatHasNoScaleAllowsNothing) {
  widget(Value::object());
  path_.clear();
  const Value status_now = status();
  EXPECT_EQ(status_now["disruptionsAllowed"].as_int(), 0);
  EXPECT_EQ(status_now["conditions"][0]["message"].as_string(),
            "widgets.example.com does not implement the scale subresource");
}

TEST(Disruption, AnAnnouncedEvictionGrowsStale) {
  Value announced = pod("a");
  EXPECT_FALSE(disruption_stale_at(announced));
  announced.edit("status")
      .edit("conditions")
      .push_back(Value::object({{"type", "DisruptionTarget"},
                                {"status", "True"},
                                {"reason", "EvictionByEvictionAPI"},
                                {"lastTransitionTime", to_rfc3339(kNow)}}));
  EXPECT_EQ(disruption_stale_at(announced), kNow + Duration::minutes(2));
  announced.edit("metadata").set("deletionTimestamp", to_rfc3339(kNow));
  EXPECT_FALSE(disruption_stale_at(announced));
}

}  // namespace
}  // namespace keelson::control
