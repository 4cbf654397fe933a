#include "app/histogram.h"

#include <gtest/gtest.h>

namespace keelson::app {
namespace {

TEST(Histogram, QuantilesAreWithinTheirBucket) {
  Histogram histogram;
  for (int i = 1; i <= 100'000; ++i) histogram.add(Duration::microseconds(i));
  EXPECT_EQ(histogram.count(), 100'000U);
  for (const double share : {0.5, 0.9, 0.99, 0.999}) {
    const double got = static_cast<double>(histogram.quantile(share).count_nanoseconds()) / 1000;
    EXPECT_NEAR(got, share * 100'000, share * 100'000 * 0.016) << share;
  }
  EXPECT_EQ(histogram.quantile(1), Duration::milliseconds(100));
  EXPECT_EQ(Histogram().quantile(0.5), Duration());
}

}  // namespace
}  // namespace keelson::app
