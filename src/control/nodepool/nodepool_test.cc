#include "control/nodepool/nodepool.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::control {
namespace {

using codec::Value;

struct FixedView : cluster::View {
  std::vector<Value> platforms, nodes;
  Value get(std::string_view, std::string_view, std::string_view name) const override {
    for (const Value& node : nodes)
      if (node.at("metadata.name").as_string() == name) return node;
    return {};
  }
  std::vector<Value> list(std::string_view resource, std::string_view) const override {
    return resource == "nodes" ? nodes : platforms;
  }
  std::vector<Value> owned_by(std::string_view, std::string_view) const override { return {}; }
};

Value parse(const char* text) {
  return codec::parse_json(text).value();
}

cluster::Plan sync(const FixedView& view) {
  NodePoolController controller({parse(R"({"cpu":"2","memory":"8Gi","pods":"110"})")});
  const cluster::Key key{"", "pools"};
  Prng rng(1);
  return controller.reconcile({view, key, Instant::unix_seconds(0), rng});
}

TEST(NodePool, WithoutPlatformThereIsTheLocalNode) {
  FixedView view;
  const auto plan = sync(view);
  ASSERT_EQ(plan.writes.size(), 1U);
  EXPECT_EQ(plan.writes[0].name, "local");
  view.nodes = {plan.writes[0].object};
  EXPECT_TRUE(sync(view).writes.empty());
}

TEST(NodePool, APlatformWithoutPoolsLeavesTheLocalNode) {
  FixedView view;
  view.platforms = {parse(R"({"spec":{"standIns":[{"image":"*","builtin":{}}]}})")};
  const auto plan = sync(view);
  ASSERT_EQ(plan.writes.size(), 1U);
  EXPECT_EQ(plan.writes[0].name, "local");
}

TEST(NodePool, PlatformReplacesTheLocalNodeAndSpreadsOverZones) {
  FixedView view;
  view.nodes = {sync(view).writes[0].object};
  view.platforms = {
      parse(R"({"spec":{"regions":[{"name":"r","zones":["a","b"]}],"pools":[{"name":"api",
    "region":"r","min":3,"max":5,"capacity":{"cpu":"8"},"labels":{"tier":"api"},"pricePerHour":"0.3"}]}})")};
  const auto plan = sync(view);
  ASSERT_EQ(plan.writes.size(), 4U);
  std::vector<std::string> zones;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(plan.writes[static_cast<std::size_t>(i)].name, "api-" + std::to_string(i + 1));
    const Value& labels = plan.writes[static_cast<std::size_t>(i)].object["metadata"]["labels"];
    EXPECT_EQ(labels["tier"].as_string(), "api");
    zones.push_back(labels["topology.kubernetes.io/zone"].str());
  }
  EXPECT_EQ(zones, (std::vector<std::string>{"a", "b", "a"}));
  EXPECT_EQ(plan.writes[3].verb, cluster::Write::Verb::remove);
  EXPECT_EQ(plan.writes[3].name, "local");
}

TEST(NodePool, ALostNodeIsReplacedUnderItsFreeName) {
  FixedView view;
  view.platforms = {parse(R"({"spec":{"pools":[{"name":"p","min":2,"capacity":{"cpu":"8"}}]}})")};
  view.nodes = {sync(view).writes[1].object};
  const auto plan = sync(view);
  ASSERT_EQ(plan.writes.size(), 1U);
  EXPECT_EQ(plan.writes[0].name, "p-1");
}

}  // namespace
}  // namespace keelson::control
