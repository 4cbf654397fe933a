#include "model/finalizers.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::model {
namespace {

TEST(Finalizers, ComeAndGo) {
  Value object = *codec::parse_json(R"({"metadata":{"finalizers":["a","b"]}})");
  EXPECT_TRUE(has_finalizer(object, "b"));
  EXPECT_FALSE(has_finalizer(object, "c"));
  EXPECT_EQ(finalizers_with(object, "a"), Value::array({"b", "a"}));
  set_finalizers(object, finalizers_without(object, "a"));
  EXPECT_EQ(object, *codec::parse_json(R"({"metadata":{"finalizers":["b"]}})"));
  set_finalizers(object, finalizers_without(object, "b"));
  EXPECT_EQ(object, *codec::parse_json(R"({"metadata":{}})"));
  EXPECT_EQ(finalizers_with(Value(), "a"), Value::array({"a"}));
}

}  // namespace
}  // namespace keelson::model
