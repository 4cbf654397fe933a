// Selectors of devices.
#include "sched/plugins/device_expression.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::sched {
namespace {

struct Row {
  const char* expression;
  const char* expected;  // "true", "false", or the error's text
};

class DeviceExpression : public testing::TestWithParam<Row> {};

TEST_P(DeviceExpression, Evaluates) {
  const auto device = codec::parse_json(R"({"name": "g0",
      "attributes": {"mem": {"int": 80}, "x.io/model": {"string": "H100"}, "ecc": {"bool": true}},
      "capacity": {"memory": {"value": "80Gi"}}})");
  ASSERT_TRUE(device.ok());
  const auto result = device_matches(GetParam().expression, "gpu.x.io", *device);
  const std::string got = result.ok() ? (*result ? "true" : "false") : result.error().message;
  EXPECT_EQ(got, GetParam().expected) << GetParam().expression;
}

INSTANTIATE_TEST_SUITE_P(
    Rows, DeviceExpression,
    testing::Values(
        Row{"device.driver == 'gpu.x.io'", "true"}, Row{"device.driver != \"gpu.x.io\"", "false"},
        Row{"device.attributes['gpu.x.io'].mem > 60", "true"},
        Row{"device.attributes['gpu.x.io'].mem > 60 && device.attributes['x.io'].model == 'A100'",
            "false"},
        Row{"device.attributes['x.io'].model.startsWith('H')", "true"},
        Row{"device.attributes['gpu.x.io'].ecc && !false", "true"},
        Row{"device.attributes['gpu.x.io'].nope > 1", "no such key: nope"},
        Row{"device.attributes['gpu.x.io'].nope > 1 || true", "true"},
        Row{"false && device.attributes['gpu.x.io'].nope > 1", "false"},
        Row{"has(device.attributes['gpu.x.io'].nope)", "false"},
        Row{"has(device.attributes['gpu.x.io'].mem)", "true"},
        Row{"'mem' in device.attributes['gpu.x.io']", "true"},
        Row{"'gpu.x.io' in device.attributes", "true"},
        Row{"device.attributes['other.io'].any == 1", "no such key: any"},
        Row{"device.capacity['gpu.x.io'].memory.compareTo(quantity('40Gi')) >= 0", "true"},
        Row{"device.capacity['gpu.x.io'].memory.isLessThan(quantity('40Gi'))", "false"},
        Row{"(device.attributes['gpu.x.io'].mem == 80)", "true"},
        Row{"device.driver", "must evaluate to bool"},
        Row{"nonsense == 1", "undeclared reference to \"nonsense\""},
        Row{"device.driver == 'gpu.x.io' extra", "unexpected text at \"extra\""}));

TEST(DeviceExpressionLimits, NestingIsBounded) {
  for (const char c : {'(', '!'}) {
    const auto result = device_matches(std::string(100'000, c), "x", codec::Value());
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().message, "the expression is nested too deeply");
  }
}

}  // namespace
}  // namespace keelson::sched
