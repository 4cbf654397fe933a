#include "model/go_diff.h"

#include <gtest/gtest.h>

namespace keelson::model {
namespace {

TEST(GoDiff, ShowsThreeLinesAround) {
  EXPECT_EQ(json_diff(R"({"a":1,"b":{},"c":[1,2],"d":"x, y","e":5,"f":6})",
                      R"({"a":1,"b":{},"c":[1,2],"d":"x, z","e":5,"f":6})"),
            "@@ -5,7 +5,7 @@\n   1,\n   2\n  ],\n- \"d\": \"x, y\",\n+ \"d\": \"x, z\",\n"
            "  \"e\": 5,\n  \"f\": 6\n }\n");
  EXPECT_EQ(json_diff("{}", "{}"), "");
  EXPECT_EQ(json_diff("null", "{}"), "@@ -1 +1 @@\n-null\n+{}\n");
}

TEST(GoDiff, PlacesFarApartAreGroupsOfTheirOwn) {
  std::string before = "[0", after = "[9";
  for (int i = 1; i < 12; ++i) {
    before += "," + std::to_string(i);
    after += "," + std::to_string(i);
  }
  EXPECT_EQ(json_diff(before + "]", after + ",12]"),
            "@@ -1,5 +1,5 @@\n [\n- 0,\n+ 9,\n  1,\n  2,\n  3,\n"
            "@@ -10,5 +10,6 @@\n  8,\n  9,\n  10,\n- 11\n+ 11,\n+ 12\n ]\n");
}

}  // namespace
}  // namespace keelson::model
