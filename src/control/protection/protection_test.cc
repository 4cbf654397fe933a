#include "control/protection/protection.h"

#include <gtest/gtest.h>

#include "sched/memory_view.h"

namespace keelson::control {
namespace {

using codec::Value;

Value claim(bool going, bool guarded) {
  Value claim = Value::object(
      {{"kind", "PersistentVolumeClaim"},
       {"metadata", Value::object({{"name", "data"}, {"namespace", "shop"}, {"uid", "c1"}})}});
  if (going) claim.edit("metadata").set("deletionTimestamp", "2026-01-01T00:00:00Z");
  if (guarded)
    claim.edit("metadata").set("finalizers", Value::array({"kubernetes.io/pvc-protection"}));
  return claim;
}

Value pod(std::string_view node, std::string_view phase) {
  return Value::object(
      {{"kind", "Pod"},
       {"metadata", Value::object({{"name", "p"}, {"namespace", "shop"}})},
       {"spec", Value::object({{"nodeName", node},
                               {"volumes", Value::array({Value::object(
                                               {{"name", "v"},
                                                {"persistentVolumeClaim",
                                                 Value::object({{"claimName", "data"}})}})})}})},
       {"status", Value::object({{"phase", phase}})}});
}

std::size_t writes(const sched::MemoryView& view) {
  ClaimProtection controller;
  Prng rng(1);
  const cluster::Key key{"shop", "data"};
  return controller.reconcile({view, key, Instant(), rng}).writes.size();
}

TEST(ClaimProtection, HoldsWhileAPodUsesTheClaim) {
  sched::MemoryView view;
  view.put("persistentvolumeclaims", claim(true, true));
  view.put("pods", pod("n1", "Running"));
  EXPECT_EQ(writes(view), 0u);
  view.put("pods", pod("n1", "Succeeded"));
  EXPECT_EQ(writes(view), 1u) << "a finished pod uses nothing";
  view.put("pods", pod("", "Pending"));
  EXPECT_EQ(writes(view), 1u) << "nor does one without a node";
}

TEST(ClaimProtection, GuardsWhatIsNotGuarded) {
  sched::MemoryView view;
  view.put("persistentvolumeclaims", claim(false, false));
  EXPECT_EQ(writes(view), 1u);
  view.put("persistentvolumeclaims", claim(false, true));
  EXPECT_EQ(writes(view), 0u);
}

TEST(ClaimProtection, IsWokenByThePodThatGoes) {
  sched::MemoryView view;
  view.put("persistentvolumeclaims", claim(true, true));
  for (const cluster::Watch& watch : ClaimProtection().watches())
    if (watch.resource == "pods") {
      EXPECT_EQ(watch.keys(view, pod("n1", "Running"), Value()).size(), 1u);
      EXPECT_TRUE(watch.keys(view, Value(), pod("n1", "Running")).empty());
    }
}

}  // namespace
}  // namespace keelson::control
