// Discovery of the built-in kinds, against the documents that kube-apiserver 1.36.1 serves.
#include "api/discovery.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

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
