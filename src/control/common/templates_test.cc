#include "control/common/templates.h"

#include <gtest/gtest.h>

namespace keelson::control {
namespace {

TEST(Scaled, NumbersAndPercentages) {
  EXPECT_EQ(scaled(3, 10, true), 3);
  EXPECT_EQ(scaled("25%", 10, true), 3);
  EXPECT_EQ(scaled("25%", 10, false), 2);
  EXPECT_EQ(scaled("0%", 10, true), 0);
  EXPECT_EQ(scaled("100%", 7, false), 7);
  EXPECT_EQ(scaled("nonsense", 7, true), 0);
  EXPECT_EQ(scaled(Value(), 7, true), 0);
}

TEST(SameContent, EmptyAndAbsentAreOne) {
  const Value bare = Value::object({{"spec", Value::object({{"image", "v1"}})}});
  Value padded = bare;
  padded.edit("spec").set("volumes", Value::array());
  padded.set("metadata", Value::object());
  EXPECT_TRUE(same_content(bare, padded));
  padded.edit("spec").set("image", "v2");
  EXPECT_FALSE(same_content(bare, padded));
}

TEST(TemplateHash, DependsOnTheCollisionCount) {
  const Value pod_template = Value::object({{"a", 1}});
  EXPECT_NE(template_hash(pod_template, std::nullopt), template_hash(pod_template, 0));
  EXPECT_NE(template_hash(pod_template, 0), template_hash(pod_template, 1));
  EXPECT_EQ(template_hash(pod_template, 1), template_hash(pod_template, 1));
}

Value condition(std::string_view status, std::string_view reason, std::string_view time) {
  return Value::object({{"type", "Available"},
                        {"status", status},
                        {"reason", reason},
                        {"lastTransitionTime", time}});
}

TEST(Conditions, MoveOnlyWhenTheyChange) {
  Value status = Value::object();
  set_condition(status, condition("True", "Enough", "t1"));
  set_condition(status, condition("True", "Enough", "t2"));
  EXPECT_EQ(condition_in(status, "Available")["lastTransitionTime"].as_string(), "t1");
  set_condition(status, condition("True", "Other", "t3"));
  EXPECT_EQ(condition_in(status, "Available")["lastTransitionTime"].as_string(), "t1");
  EXPECT_EQ(condition_in(status, "Available")["reason"].as_string(), "Other");
  set_condition(status, condition("False", "Few", "t4"));
  EXPECT_EQ(condition_in(status, "Available")["lastTransitionTime"].as_string(), "t4");
  remove_condition(status, "Available");
  EXPECT_FALSE(status.has("conditions"));
}

}  // namespace
}  // namespace keelson::control
