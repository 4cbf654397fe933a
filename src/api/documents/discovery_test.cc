// Discovery of the built-in kinds, against the documents that kube-apiserver 1.36.1 serves.
#include "api/documents/discovery.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "api/outgoing/aggregator.h"
#include "base/text.h"
#include "codec/json.h"

namespace keelson::api {
namespace {

Value golden(const std::string& name) {
  std::ifstream file(std::string(KEELSON_SOURCE_DIR) + "/tests/golden/discovery/" + name + ".json");
  std::stringstream text;
  text << file.rdbuf();
  auto value = codec::parse_json(text.str());
  return value.ok() ? *value : Value();
}

class DiscoveryTest : public testing::Test {
 protected:
  model::TypeTable table_;
  std::vector<DiscoveredGroup> groups_ = discovered_groups(table_.all());
};

TEST_F(DiscoveryTest, GroupsAreThoseOfTheOriginal) {
  EXPECT_EQ(codec::to_json(api_group_list(groups_)), codec::to_json(golden("apis")));
  for (const DiscoveredGroup& group : groups_) {
    if (!group.name.empty()) {
      EXPECT_EQ(codec::to_json(api_group(group)), codec::to_json(golden("apis__" + group.name)));
    }
    for (const DiscoveredVersion& version : group.versions) {
      const std::string name =
          group.name.empty() ? "api__v1" : "apis__" + group.name + "__" + version.version;
      EXPECT_EQ(codec::to_json(api_resource_list(group, version)), codec::to_json(golden(name)))
          << name;
    }
  }
}

TEST_F(DiscoveryTest, AggregatedFormIsThatOfTheOriginal) {
  EXPECT_EQ(codec::to_json(aggregated_discovery(groups_, true)),
            codec::to_json(golden("aggregated_api")));
  EXPECT_EQ(codec::to_json(aggregated_discovery(groups_, false)),
            codec::to_json(golden("aggregated_apis")));
}

TEST_F(DiscoveryTest, VersionsOfOtherServersStandByTheirPriority) {
  const Value document = Value::object({{"version", "v1beta1"}, {"freshness", "Stale"}});
  Priorities priorities;
  priorities.groups = {{"things.example.com", 17790}, {"apps", 17800}, {"events.k8s.io", 17750}};
  priorities.versions = {{{"things.example.com", "v1beta1"}, 10},
                         {{"things.example.com", "v1"}, 5},
                         {{"apps", "v1"}, 15}};
  const std::vector<DiscoveredGroup> groups =
      discovered_groups(table_.all(), priorities,
                        {{"things.example.com", "v1", document},
                         {"things.example.com", "v1beta1", document},
                         {"apps", "v1", document}});
  std::size_t at = 0;
  while (groups[at].name != "things.example.com") ++at;
  EXPECT_EQ(groups[at - 1].name, "apps");
  EXPECT_EQ(groups[at + 1].name, "events.k8s.io");
  EXPECT_EQ(groups[at].versions[0].version, "v1beta1");
  EXPECT_TRUE(groups[at - 1].versions[0].resources.empty()) << "the other server's, not ours";
  const Value list = aggregated_discovery(groups, false);
  EXPECT_EQ(list["items"][at - 1]["versions"][0], document);
}

TEST(RemoteDiscovery, IsMadeOfAPlainList) {
  const Value list = *codec::parse_json(R"({"resources": [
      {"name": "flunders", "singularName": "flunder", "namespaced": true, "kind": "Flunder",
       "verbs": ["get"], "shortNames": ["fl"]},
      {"name": "flunders/scale", "namespaced": true, "kind": "Scale", "group": "autoscaling",
       "version": "v1", "verbs": ["update"]},
      {"name": "ghosts/status", "kind": "Ghost", "verbs": ["get"]}]})");
  const Value document = discovery_of_list(list, "wardle", "v1");
  EXPECT_EQ(document["resources"][0]["responseKind"]["group"].as_string(), "wardle");
  EXPECT_EQ(document["resources"][0]["subresources"][0]["responseKind"]["group"].as_string(),
            "autoscaling");
  EXPECT_EQ(document["resources"][1]["resource"].as_string(), "ghosts");
  EXPECT_EQ(document["resources"][1]["scope"].as_string(), "Cluster");
}

TEST(VersionOrder, PrefersStableThenNewer) {
  EXPECT_TRUE(version_precedes("v10", "v2"));
  EXPECT_TRUE(version_precedes("v1", "v2beta1"));
  EXPECT_TRUE(version_precedes("v2beta1", "v1beta2"));
  EXPECT_TRUE(version_precedes("v1beta1", "v9alpha1"));
  EXPECT_TRUE(version_precedes("v1alpha1", "foo"));
  EXPECT_TRUE(version_precedes("bar", "foo"));
}

}  // namespace
}  // namespace keelson::api
