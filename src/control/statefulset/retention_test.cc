#include "control/statefulset/retention.h"

#include <gtest/gtest.h>

#include "control/statefulset/identity.h"
#include "model/meta.h"

namespace keelson::control::stateful {
namespace {

Value set_with(const char* deleted, const char* scaled) {
  return Value::object(
      {{"apiVersion", "apps/v1"},
       {"kind", "StatefulSet"},
       {"metadata", Value::object({{"name", "web"}, {"namespace", "shop"}, {"uid", "s1"}})},
       {"spec",
        Value::object({{"replicas", 2},
                       {"persistentVolumeClaimRetentionPolicy",
                        Value::object({{"whenDeleted", deleted}, {"whenScaled", scaled}})}})}});
}

Value pod(int ordinal) {
  const std::string name = "web-" + std::to_string(ordinal);
  return Value::object(
      {{"apiVersion", "v1"},
       {"kind", "Pod"},
       {"metadata", Value::object({{"name", name}, {"namespace", "shop"}, {"uid", "p-" + name}})}});
}

// The kinds of the owners of a claim without owners, put right.
std::string owner_after(const char* deleted, const char* scaled, int ordinal) {
  Value claim = Value::object({{"metadata", Value::object({{"name", "data-web-0"}})}});
  update_owners(claim, set_with(deleted, scaled), pod(ordinal));
  EXPECT_TRUE(owners_are_up_to_date(claim, set_with(deleted, scaled), pod(ordinal)));
  const Value& owners = claim["metadata"]["ownerReferences"];
  return owners.empty() ? "nobody" : owners[0]["kind"].str();
}

TEST(Retention, WhoOwnsAClaim) {
  EXPECT_EQ(owner_after("Retain", "Retain", 0), "nobody");
  EXPECT_EQ(owner_after("Delete", "Retain", 0), "StatefulSet");
  EXPECT_EQ(owner_after("Delete", "Retain", 5), "StatefulSet");
  EXPECT_EQ(owner_after("Retain", "Delete", 0), "nobody");
  EXPECT_EQ(owner_after("Retain", "Delete", 5), "Pod");
  EXPECT_EQ(owner_after("Delete", "Delete", 0), "StatefulSet");
  EXPECT_EQ(owner_after("Delete", "Delete", 5), "Pod");
}

TEST(Retention, AnotherControllerKeepsTheClaim) {
  Value claim = Value::object({{"metadata", Value::object({{"name", "data-web-0"}})}});
  Value other = pod(7);
  other.edit("metadata").set("name", "somebody");
  claim.edit("metadata").set("ownerReferences", Value::array({model::controller_reference(other)}));
  const Value set = set_with("Delete", "Delete");
  EXPECT_TRUE(has_unexpected_controller(claim, set, pod(0)));
  EXPECT_TRUE(owners_are_up_to_date(claim, set, pod(0)));
}

TEST(Retention, AnEarlierPodOfTheNameIsStale) {
  Value claim = Value::object({{"metadata", Value::object({{"name", "data-web-0"}})}});
  Value earlier = pod(0);
  earlier.edit("metadata").set("uid", "before");
  claim.edit("metadata")
      .set("ownerReferences", Value::array({model::controller_reference(earlier)}));
  EXPECT_TRUE(has_stale_reference(claim, pod(0)));
}

TEST(PodName, IsParentAndOrdinal) {
  EXPECT_EQ(parse_pod_name("web-12").parent, "web");
  EXPECT_EQ(parse_pod_name("web-12").ordinal, 12);
  EXPECT_EQ(parse_pod_name("my-web-0").parent, "my-web");
  EXPECT_EQ(parse_pod_name("web").ordinal, -1);
  EXPECT_EQ(parse_pod_name("web-").ordinal, -1);
  EXPECT_EQ(parse_pod_name("web-x1").ordinal, -1);
}

}  // namespace
}  // namespace keelson::control::stateful
