// Seats, queues and refusals of priority levels, with the objects of a fresh server.
#include "api/fairness/flow_control.h"

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
    const registry::Identity who{user, "", std::move(groups), {}};
    flows->submit(
        {who, info, query}, last,
        [this, user](FlowControl::Seat seat) {
          ran.push_back(user);
          if (seat) seats.push_back(std::move(seat));
        },
        [this](int seconds) {
          ++refused;
          stay_away = std::max(stay_away, seconds);
        });
  }

  host::VirtualLoop loop;
  Prng rng{1};
  std::unique_ptr<store::Store> store = store::Store::in_memory(loop);
  registry::Registry registry{*store, {.now = [this] { return loop.now(); }, .rng = &rng}};
  std::unique_ptr<FlowControl> flows;
  Query query;
  FlowControl::Class last;
  std::vector<std::string> ran;
  std::vector<FlowControl::Seat> seats;
  int refused = 0, stay_away = 0;
};

TEST_F(FlowControlTest, AdministratorsNeedNoSeat) {
  for (int i = 0; i < 1000; ++i) ask("admin", {"system:masters"});
  EXPECT_EQ(ran.size(), 1000u);
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
  // Meanwhile other levels, which nobody asks for anything, have lent some of their seats.
  EXPECT_GT(ran.size(), 2 * at_once);
  EXPECT_EQ(refused, 2001 - static_cast<int>(ran.size()));
}

TEST_F(FlowControlTest, WhoIsRefusedAgainAndAgainIsToldToStayAwayLonger) {
  std::vector<int> told;
  for (int second = 0; second < 12; ++second) {
    stay_away = 0;
    for (int i = 0; i < 500; ++i) ask("busy");
    told.push_back(stay_away);
    loop.run_for(Duration::seconds(1));
  }
  EXPECT_EQ(told, (std::vector<int>{1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8}));
}

TEST_F(FlowControlTest, LongListsTakeMoreSeatsAndBeginOneInATurn) {
  RequestInfo info;
  info.is_resource = true;
  info.verb = "list";
  info.resource = "pods";
  const registry::Identity who{"lister", "", {"system:authenticated"}, {}};
  auto wide = std::make_unique<FlowControl>(loop, registry);
  wide->estimates().learn(info, query, 10'000, 30'000'000);
  std::vector<FlowControl::Seat> held;
  int begun = 0, other = 0;
  const auto run = [&](int& count) {
    return [&](FlowControl::Seat seat) {
      ++count;
      held.push_back(std::move(seat));
    };
  };
  for (int i = 0; i < 30; ++i) wide->submit({who, info, query}, last, run(begun), [](int) {});
  EXPECT_EQ(begun, 0);
  // Somebody else's small request does not wait for them to begin.
  info.verb = "get";
  const registry::Identity another{"other", "", {"system:nodes", "system:authenticated"}, {}};
  wide->submit({another, info, query}, last, run(other), [](int) {});
  EXPECT_EQ(other, 1);
  loop.run_for(Duration::milliseconds(1));
  const auto level = wide->levels()["global-default"];
  EXPECT_GT(begun, 1);
  EXPECT_LT(begun, 30);
  EXPECT_GT(level.waiting, 0u);
  EXPECT_GE(level.seats_used, 5 * level.executing);
  EXPECT_LE(level.seats_used, level.seats);
  held.clear();
  loop.run_for(Duration::milliseconds(1));
  EXPECT_GT(begun, level.executing);
}

TEST_F(FlowControlTest, MetricsSpeakOfEveryLevel) {
  ask("someone");
  const std::string text = flows->metrics();
  for (const char* line :
       {"apiserver_flowcontrol_current_executing_requests{priority_level=\"global-default\"} 1",
        "apiserver_flowcontrol_dispatched_requests_total{priority_level=\"global-default\"} 1",
        "apiserver_flowcontrol_rejected_requests_total{priority_level=\"leader-election\"} 0",
        "apiserver_flowcontrol_request_wait_duration_seconds_bucket{priority_level="
        "\"global-default\",le=\"0.001\"} 1"})
    EXPECT_NE(text.find(line), std::string::npos) << line;
}

TEST_F(FlowControlTest, WatchesMakeWritesCostMore) {
  RequestInfo info;
  info.is_resource = true;
  info.resource = "pods";
  info.namespace_ = "a";
  WorkEstimates estimates;
  info.verb = "create";
  EXPECT_EQ(estimates.of(info, query, 10, true).work.seats_after, 0);
  RequestInfo everywhere = info;
  everywhere.namespace_.clear();
  std::vector<std::shared_ptr<void>> open;
  for (int i = 0; i < 2000; ++i) open.push_back(estimates.begin_watch(i % 2 ? info : everywhere));
  const auto work = estimates.of(info, query, 10, true).work;
  EXPECT_EQ(work.seats_after, 10);
  EXPECT_EQ(work.after, Duration::milliseconds(2));
  info.namespace_ = "b";
  EXPECT_EQ(estimates.of(info, query, 20, true).work.seats_after, 10);
  open.clear();
  EXPECT_EQ(estimates.of(info, query, 10, true).work.seats_after, 0);
}

}  // namespace
}  // namespace keelson::api
