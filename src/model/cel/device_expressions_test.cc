// Selectors of devices.
#include "model/cel/device_expressions.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::model {
namespace {

struct Row {
  const char* expression;
  const char* expected;  // "true", "false", or how the error begins
};

class DeviceExpressions : public testing::TestWithParam<Row> {};

TEST_P(DeviceExpressions, Evaluate) {
  const auto device = codec::parse_json(R"({"name": "g0",
      "attributes": {"mem": {"int": 80}, "x.io/model": {"string": "H100"}, "ecc": {"bool": true},
                     "v": {"version": "1.2.3"}},
      "capacity": {"memory": {"value": "80Gi"}}})");
  ASSERT_TRUE(device.ok());
  const auto result = DeviceExpression(GetParam().expression).matches("gpu.x.io", *device);
  const std::string got = result.ok() ? (*result ? "true" : "false") : result.error().message;
  EXPECT_TRUE(got.starts_with(GetParam().expected)) << GetParam().expression << ": " << got;
}

INSTANTIATE_TEST_SUITE_P(
    Rows, DeviceExpressions,
    testing::Values(
        Row{"device.driver == 'gpu.x.io'", "true"}, Row{"device.driver != \"gpu.x.io\"", "false"},
        Row{"device.attributes['gpu.x.io'].mem > 60", "true"},
        Row{"device.attributes['gpu.x.io'].mem > 60 && device.attributes['x.io'].model == 'A100'",
            "false"},
        Row{"device.attributes['x.io'].model.startsWith('H')", "true"},
        Row{"device.attributes['gpu.x.io'].ecc && !false", "true"},
        Row{"device.attributes['gpu.x.io'].ecc", "true"},
        Row{"device.attributes['gpu.x.io'].v.isGreaterThan(semver('1.2.0'))", "true"},
        Row{"device.attributes['gpu.x.io'].nope > 1", "no such key: nope"},
        Row{"device.attributes['gpu.x.io'].nope > 1 || true", "true"},
        Row{"false && device.attributes['gpu.x.io'].nope > 1", "false"},
        Row{"has(device.attributes['gpu.x.io'].nope)", "false"},
        Row{"has(device.attributes['gpu.x.io'].mem)", "true"},
        Row{"'mem' in device.attributes['gpu.x.io']", "true"},
        Row{"'gpu.x.io' in device.attributes", "true"},
        Row{"'other.io' in device.attributes", "false"},
        Row{"device.attributes['other.io'].any == 1", "no such key: any"},
        Row{"device.capacity['gpu.x.io'].memory.compareTo(quantity('40Gi')) >= 0", "true"},
        Row{"device.capacity['gpu.x.io'].memory.isLessThan(quantity('40Gi'))", "false"},
        Row{"device.driver", "must evaluate to bool or the unknown type, not string"},
        Row{"nonsense == 1", "compilation failed: ERROR: <input>:1:1: undeclared reference"},
        Row{"device.driver == 'gpu.x.io' extra", "compilation failed: ERROR: <input>:1:29"}));

TEST(DeviceExpression, NestingIsBounded) {
  for (const char c : {'(', '!'}) {
    const DeviceExpression expression(std::string(50'000, c));
    EXPECT_FALSE(expression.error().empty());
  }
}

TEST(DeviceExpression, MayNotCostTooMuch) {
  const DeviceExpression expression(
      "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, "
      "[1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, "
      "[1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, a+b+c+d+e+f > 0))))))");
  EXPECT_TRUE(expression.too_complex());
}

}  // namespace
}  // namespace keelson::model
