#include "control/common/delays.h"

#include <gtest/gtest.h>

namespace keelson::control {
namespace {

const cluster::Key kKey{"default", "a"};
const Instant kNow = Instant::unix_seconds(1000);

TEST(Delays, WishesCountFromTheNextTake) {
  Delays delays(Duration::seconds(1), Duration::minutes(1));
  delays.wish(kKey, Duration::seconds(1));
  EXPECT_FALSE(delays.take(kKey, kNow));
  EXPECT_EQ(delays.due(kKey), kNow + Duration::seconds(1));
  delays.wish(kKey, {});  // at once, besides
  EXPECT_TRUE(delays.take(kKey, kNow));
  EXPECT_EQ(delays.due(kKey), kNow + Duration::seconds(1));
  EXPECT_TRUE(delays.take(kKey, kNow + Duration::seconds(1)));
  EXPECT_FALSE(delays.due(kKey));
  EXPECT_FALSE(delays.take(kKey, kNow + Duration::seconds(2)));
}

TEST(Delays, BackOffDoublesUpToItsLimit) {
  Delays delays(Duration::seconds(1), Duration::seconds(3));
  Instant now = kNow;
  for (const int expected : {1, 2, 3, 3}) {
    delays.failed(kKey, now);
    EXPECT_EQ(delays.due(kKey), now + Duration::seconds(expected));
    now = *delays.due(kKey);
    EXPECT_TRUE(delays.take(kKey, now));
  }
  delays.succeeded(kKey);
  delays.failed(kKey, now);
  EXPECT_EQ(delays.due(kKey), now + Duration::seconds(1));
}

}  // namespace
}  // namespace keelson::control
