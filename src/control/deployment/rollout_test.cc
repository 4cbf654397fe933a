#include "control/deployment/rollout.h"

#include <gtest/gtest.h>

namespace keelson::control::rollout {
namespace {

Value deployment(int replicas, Value surge, Value unavailable) {
  return Value::object(
      {{"spec",
        Value::object(
            {{"replicas", replicas},
             {"strategy",
              Value::object({{"type", "RollingUpdate"},
                             {"rollingUpdate",
                              Value::object({{"maxSurge", std::move(surge)},
                                             {"maxUnavailable", std::move(unavailable)}})}})}})}});
}

Value replica_set(int replicas, const char* max_replicas = nullptr) {
  Value set = Value::object({{"spec", Value::object({{"replicas", replicas}})}});
  if (max_replicas != nullptr)
    set.edit("metadata")
        .edit("annotations")
        .set("deployment.kubernetes.io/max-replicas", max_replicas);
  return set;
}

TEST(Fenceposts, RoundUpAndDown) {
  EXPECT_EQ(max_surge(deployment(10, "25%", "25%")), 3);
  EXPECT_EQ(max_unavailable(deployment(10, "25%", "25%")), 2);
}

TEST(Fenceposts, NoRolloutCanStandStill) {
  EXPECT_EQ(max_unavailable(deployment(2, "0%", "1%")), 1);
  EXPECT_EQ(max_unavailable(deployment(2, "1%", "1%")), 0);
  EXPECT_EQ(max_unavailable(deployment(3, 0, 9)), 3) << "not more than there are";
}

TEST(NewReplicas, FillWhatSurgeLeaves) {
  const Value d = deployment(10, 3, 2);
  EXPECT_EQ(new_replicas(d, {replica_set(10), replica_set(0)}, replica_set(0)), 3);
  EXPECT_EQ(new_replicas(d, {replica_set(13), replica_set(0)}, replica_set(0)), 0);
  EXPECT_EQ(new_replicas(d, {replica_set(2), replica_set(9)}, replica_set(9)), 10);
}

TEST(Proportion, EachTakesItsShare) {
  // From 10 + 3 to 20 + 3: an 8 of 13 becomes 14.15 of 23.
  const Value d = deployment(20, 3, 2);
  EXPECT_EQ(proportion(d, replica_set(8, "13"), 10, 0), 6);
  EXPECT_EQ(proportion(d, replica_set(8, "13"), 10, 7), 3) << "no more than is left";
  EXPECT_EQ(proportion(d, replica_set(0, "13"), 10, 0), 0) << "what is empty stays empty";
  const Value less = deployment(5, 3, 2);
  EXPECT_EQ(proportion(less, replica_set(8, "13"), -5, 0), -3);
  EXPECT_EQ(proportion(deployment(0, 3, 2), replica_set(8, "13"), -13, 0), -8);
}

TEST(Revisions, FormerNumbersBecomeHistory) {
  const Value d = deployment(1, 1, 1);
  Value set = replica_set(1);
  EXPECT_TRUE(set_new_annotations(d, set, 1, false));
  EXPECT_EQ(*revision_of(set), 1);
  EXPECT_FALSE(set_new_annotations(d, set, 1, true));
  EXPECT_TRUE(set_new_annotations(d, set, 3, true));
  EXPECT_TRUE(set_new_annotations(d, set, 5, true));
  EXPECT_EQ(*revision_of(set), 5);
  EXPECT_EQ(set["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"].as_string(),
            "1,3");
  EXPECT_FALSE(set_new_annotations(d, set, 2, true)) << "a number never goes back";
}

TEST(Revisions, TheLastIsTheSecondHighest) {
  ReplicaSets all;
  for (int revision : {4, 9, 7}) {
    Value set = replica_set(1);
    set.edit("metadata")
        .edit("annotations")
        .set("deployment.kubernetes.io/revision", std::to_string(revision));
    all.push_back(set);
  }
  EXPECT_EQ(max_revision(all), 9);
  EXPECT_EQ(last_revision(all), 7);
}

}  // namespace
}  // namespace keelson::control::rollout
