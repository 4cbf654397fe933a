// Endpoints from pods, and slices from Endpoints.
#include "control/endpoints/endpoints.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::control {
namespace {

Value parse(std::string_view text) {
  auto parsed = codec::parse_json(text);
  EXPECT_TRUE(parsed.ok());
  return parsed.ok() ? *parsed : Value();
}

Value pod(const std::string& name, const std::string& ip, bool ready) {
  return parse(R"({"metadata":{"namespace":"default","name":")" + name + R"(","uid":"u-)" + name +
               R"("},"spec":{"nodeName":"n1","containers":[{"ports":[{"name":"http",)"
               R"("containerPort":8080}]}]},"status":{"phase":"Running","podIPs":[{"ip":")" +
               ip + R"("}],"conditions":[{"type":"Ready","status":")" + (ready ? "True" : "False") +
               R"("}]}})");
}

const char* kService =
    R"({"metadata":{"namespace":"default","name":"web"},"spec":{"clusterIP":"10.0.0.1",)"
    R"("selector":{"app":"web"},"ports":[{"port":80,"targetPort":"http"}]}})";

TEST(Endpoints, ReadyAndUnreadyPodsShareASubset) {
  const EndpointSubsets result = subsets_of(
      parse(kService),
      {pod("b", "10.1.0.2", true), pod("a", "10.1.0.1", true), pod("c", "10.1.0.3", false)});
  ASSERT_EQ(result.subsets.size(), 1u);
  const Value& subset = result.subsets[0];
  EXPECT_EQ(subset["addresses"].size(), 2u);
  EXPECT_EQ(subset["addresses"][0]["ip"].as_string(), "10.1.0.1");
  EXPECT_EQ(subset["notReadyAddresses"][0]["targetRef"]["name"].as_string(), "c");
  EXPECT_EQ(codec::to_json(subset["ports"]), R"([{"port":8080,"protocol":"TCP"}])");
  EXPECT_FALSE(result.truncated);
}

TEST(Endpoints, AThousandAddressesAreEnough) {
  std::vector<Value> pods;
  for (int i = 0; i < 1200; ++i)
    pods.push_back(pod("p" + std::to_string(i),
                       "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250), i < 900));
  const EndpointSubsets result = subsets_of(parse(kService), pods);
  EXPECT_TRUE(result.truncated);
  EXPECT_EQ(result.subsets[0]["addresses"].size(), 900u);
  EXPECT_EQ(result.subsets[0]["notReadyAddresses"].size(), 100u);
}

TEST(Mirroring, ASliceForEachSubsetAndKindOfAddress) {
  const MirroredSlices result = slices_of(parse(
      R"({"apiVersion":"v1","kind":"Endpoints","metadata":{"namespace":"default","name":"db",)"
      R"("uid":"u","annotations":{"a":"b","kubectl.kubernetes.io/last-applied-configuration":"x"}},)"
      R"("subsets":[{"addresses":[{"ip":"192.0.2.1"},{"ip":"2001:db8::1"}],)"
      R"("ports":[{"port":5432}]}]})"));
  ASSERT_EQ(result.slices.size(), 2u);
  const Value& slice = result.slices[0];
  EXPECT_EQ(slice["addressType"].as_string(), "IPv4");
  EXPECT_EQ(slice["metadata"]["labels"]["kubernetes.io/service-name"].as_string(), "db");
  EXPECT_EQ(slice["metadata"]["annotations"].size(), 1u);
  EXPECT_EQ(codec::to_json(slice["endpoints"]),
            R"([{"addresses":["192.0.2.1"],"conditions":{"ready":true}}])");
  EXPECT_EQ(codec::to_json(slice["ports"]), R"([{"name":"","port":5432,"protocol":"TCP"}])");
}

}  // namespace
}  // namespace keelson::control
