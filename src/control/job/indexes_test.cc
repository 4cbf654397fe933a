#include "control/job/indexes.h"

#include <gtest/gtest.h>

namespace keelson::control::jobs {
namespace {

TEST(Indexes, TextThereAndBack) {
  EXPECT_EQ(Indexes::of({0, 1, 3, 4, 5, 9}).text(), "0,1,3-5,9");
  EXPECT_EQ(Indexes::parse("0,1,3-5,9", 100).text(), "0,1,3-5,9");
  EXPECT_EQ(Indexes::parse("0,1,3-5,9", 5).text(), "0,1,3,4");
  EXPECT_EQ(Indexes::parse("0,x,2", 5).text(), "0,2");
}

TEST(Indexes, MergedHasAndCounts) {
  const Indexes merged = Indexes::of({1, 2}).merged(Indexes::of({0, 4}));
  EXPECT_EQ(merged.text(), "0-2,4");
  EXPECT_TRUE(merged.has(2));
  EXPECT_FALSE(merged.has(3));
  EXPECT_EQ(merged.total(), 4);
  EXPECT_EQ(merged.in_common(Indexes::of({2, 3, 4})), 2);
}

}  // namespace
}  // namespace keelson::control::jobs
