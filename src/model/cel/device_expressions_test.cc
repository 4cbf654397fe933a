#include "model/cel/device_expressions.h"

#include <gtest/gtest.h>

namespace keelson::model {
namespace {

TEST(DeviceExpressions, ChooseByDriverAttributesAndCapacity) {
  for (const char* good :
       {"device.driver == 'gpu.example.com'",
        "device.attributes['gpu.example.com'].model == 'a' && device.allowMultipleAllocations",
        "device.capacity['gpu.example.com'].memory.compareTo(quantity('1Gi')) >= 0",
        "'gpu.example.com' in device.attributes"})
    EXPECT_EQ(device_expression_problem(good).message, "") << good;
  EXPECT_EQ(device_expression_problem("1").message,
            "must evaluate to bool or the unknown type, not int");
  EXPECT_EQ(device_expression_problem("device.nope").message.substr(0, 20), "compilation failed: ");
}

TEST(DeviceExpressions, MayNotCostTooMuch) {
  const auto problem = device_expression_problem(
      "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, "
      "[1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, "
      "[1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, a+b+c+d+e+f > 0))))))");
  EXPECT_TRUE(problem.too_costly);
}

}  // namespace
}  // namespace keelson::model
