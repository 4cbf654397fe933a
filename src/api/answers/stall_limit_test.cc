#include "api/answers/stall_limit.h"

#include <gtest/gtest.h>

#include "host/virtual_loop.h"

namespace keelson::api {
namespace {

TEST(StallLimit, TakesTheBodyFromWhoTakesNothing) {
  host::VirtualLoop loop;
  auto kept = std::make_shared<int>(0);
  const std::weak_ptr<int> alive = kept;
  auto body = limit_stalls(loop, make_piece_body([kept = std::move(kept)](std::string& out) {
                             out += "piece";
                             return true;
                           }),
                           Duration::seconds(60));
  int wakes = 0;
  body->set_wake([&wakes] { ++wakes; });
  std::string out;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(body->read(out, 1), Body::State::more);
    loop.run_for(Duration::seconds(59));
  }
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(wakes, 0);
  loop.run_for(Duration::seconds(2));
  EXPECT_TRUE(alive.expired());
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(body->read(out, 1), Body::State::aborted);
}

}  // namespace
}  // namespace keelson::api
