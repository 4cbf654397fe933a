// Seats, queues and refusals of priority levels, with the objects of a fresh server.
#include "api/flow_control.h"

#include <gtest/gtest.h>

#include "host/virtual_loop.h"
#include "store/store.h"

namespace keelson::api {
namespace {

class FlowControlTest : public testing::Test {
 protected:
  FlowControlTest() {
    EXPECT_TRUE(registry.start().ok());
    flows = std::make_unique<FlowControl>(loop, registry, FlowOptions{.requests_max = 20});
  }
  void ask(const std::string& user, std::vector<std::string> groups = {"system:authenticated"}) {
    RequestInfo info;
    info.is_resource = true;
    info.verb = "get";
    info.resource = "pods";
    info.namespace_ = "a";
    flows->submit(
        {user, "", std::move(groups), {}}, info, last,
        [this, user](FlowControl::Seat seat) {
          ran.push_back(user);
          if (seat) seats.push_back(std::move(seat));
        },
        [this] { ++refused; });
  }

  host::VirtualLoop loop;
  Prng rng{1};
  std::unique_ptr<store::Store> store = store::Store::in_memory(loop);
  registry::Registry registry{*store, {.now = [this] { return loop.now(); }, .rng = &rng}};
  std::unique_ptr<FlowControl> flows;
  FlowControl::Class last;
  std::vector<std::string> ran;
  std::vector<FlowControl::Seat> seats;
  int refused = 0;
};

TEST_F(FlowControlTest, AdministratorsNeedNoSeat) {
  for (int i = 0; i < 1000; ++i) ask("admin", {"system:masters"});
  EXPECT_EQ(ran.size(), 1000u);
  EXPECT_TRUE(seats.empty());
  EXPECT_FALSE(last.schema_uid.empty());
  EXPECT_FALSE(last.level_uid.empty());
}

TEST_F(FlowControlTest, WhoFindsNoSeatWaitsAndIsRefusedInTheEnd) {
  for (int i = 0; i < 2000; ++i) ask("busy");
  const std::size_t at_once = ran.size();
  EXPECT_EQ(flows->levels()["global-default"].seats, static_cast<int>(at_once));
  EXPECT_GT(at_once, 0u);
  EXPECT_LT(at_once, 20u);
  EXPECT_GT(refused, 0);
  // Another user has queues that the busy one has not filled.
  const int before = refused;
  ask("quiet");
  EXPECT_EQ(refused, before);
  const auto waiting = flows->levels()["global-default"].waiting;
  EXPECT_GT(waiting, 100u);
  seats.clear();
  loop.run_for(Duration::milliseconds(1));
  EXPECT_EQ(ran.size(), 2 * at_once);
  loop.run_for(Duration::seconds(20));
  EXPECT_EQ(flows->levels()["global-default"].waiting, 0u);
  EXPECT_EQ(refused, 2001 - static_cast<int>(2 * at_once));
}

}  // namespace
}  // namespace keelson::api
