// When a range of service addresses is ready, and when it may go.
#include "control/servicecidr/servicecidr.h"

#include <gtest/gtest.h>

#include "sched/memory_view.h"

namespace keelson::control {
namespace {

using codec::Value;
constexpr std::string_view kRanges = "servicecidrs.networking.k8s.io";
constexpr std::string_view kAddresses = "ipaddresses.networking.k8s.io";

Value range(std::string_view name, std::string_view cidr) {
  return Value::object({{"apiVersion", "networking.k8s.io/v1"},
                        {"kind", "ServiceCIDR"},
                        {"metadata", Value::object({{"name", name}})},
                        {"spec", Value::object({{"cidrs", Value::array({Value(cidr)})}})}});
}

Value deleted(Value one) {
  one.edit("metadata").set("deletionTimestamp", "2026-01-01T00:00:00Z");
  one.edit("metadata").edit("finalizers").push_back("networking.k8s.io/service-cidr-finalizer");
  return one;
}

Value address(std::string_view name) {
  return Value::object(
      {{"metadata", Value::object({{"name", name},
                                   {"labels", Value::object({{"ipaddress.kubernetes.io/managed-by",
                                                              "ipallocator.k8s.io"}})}})}});
}

class ServiceCidrTest : public testing::Test {
 protected:
  cluster::Plan sync(int seconds_after = 60) {
    Prng rng(1);
    const cluster::Key key{"", "more"};
    const Instant deleted_at = parse_rfc3339("2026-01-01T00:00:00Z").value();
    return controller.reconcile({view, key, deleted_at + Duration::seconds(seconds_after), rng});
  }
  sched::MemoryView view;
  ServiceCidrController controller;
};

TEST_F(ServiceCidrTest, IsProtectedAndReady) {
  view.put(kRanges, range("more", "10.97.0.0/24"));
  cluster::Plan plan = sync();
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].object["metadata"]["finalizers"].size(), 1u);
  Value kept = plan.writes[0].object;
  plan = plan.then({kept});
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].subresource, "status");
  kept.set("status", plan.writes[0].object["status"]);
  view.put(kRanges, kept);
  EXPECT_TRUE(sync().writes.empty());
}

TEST_F(ServiceCidrTest, GoesOnceNoAddressIsLeft) {
  view.put(kRanges, deleted(range("more", "10.97.0.0/24")));
  view.put(kAddresses, address("10.96.0.1"));
  view.put(kAddresses, address("10.97.0.7"));
  cluster::Plan plan = sync();
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].object["status"]["conditions"][0]["reason"].as_string(), "Terminating");
  view.remove(kAddresses, "", "10.97.0.7");
  EXPECT_TRUE(sync(3).writes.empty());
  EXPECT_TRUE(sync(3).wake_at.has_value());
  plan = sync();
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_TRUE(plan.writes[0].object["metadata"]["finalizers"].empty());
}

TEST_F(ServiceCidrTest, AnotherRangeMayTakeOver) {
  view.put(kRanges, deleted(range("more", "10.97.0.0/24")));
  view.put(kAddresses, address("10.97.0.7"));
  view.put(kRanges, range("wide", "10.97.0.0/16"));
  const cluster::Plan plan = sync();
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].verb, cluster::Write::Verb::update);
}

}  // namespace
}  // namespace keelson::control
