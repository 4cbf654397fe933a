// Seats and turns in virtual time: who waits how long beside whom.
#include "api/fairness/fair_queues.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/prng.h"

namespace keelson::api {
namespace {

struct Job : FairQueues::Request {
  std::string flow;
  Duration length;
  Instant came;
};

// A level under load: jobs end after their length of virtual time.
class World {
 public:
  explicit World(int seats, FairQueues::Options options = {.queues = 64, .hand = 6}) {
    queues.configure(options, seats, now);
  }
  bool ask(const std::string& flow, std::uint64_t hash, Duration length, int width = 1,
           int after = 0, Duration tail = {}) {
    auto job = std::make_shared<Job>();
    job->flow = flow;
    job->length = length;
    job->came = now;
    job->work = {width, after, tail};
    if (!queues.arrive(job, hash, now + Duration::seconds(15), now)) {
      ++refused[flow];
      return false;
    }
    take_started();
    return true;
  }
  void take_started() {
    for (const auto& one : queues.started()) {
      auto job = std::static_pointer_cast<Job>(one);
      Duration& worst = waited[job->flow];
      worst = std::max(worst, now - job->came);
      ++begun[job->flow];
      ends.emplace(now + job->length, job);
      EXPECT_TRUE(queues.seats_used() <= queues.seats() || queues.at_work() == 1);
    }
  }
  // Until then, or, with `hold`, until this call of it.
  void run_until(Instant until) {
    while (!ends.empty() && ends.begin()->first <= until) {
      const auto [at, job] = *ends.begin();
      ends.erase(ends.begin());
      now = at;
      if (left.contains(job)) {
        queues.leave(job, now);
      } else if (const Duration tail = queues.finish(job, now); tail > Duration()) {
        left.insert({job, true});
        ends.emplace(now + tail, job);
      }
      take_started();
    }
    now = until;
  }
  FairQueues queues;
  Instant now = Instant::unix_seconds(1'000'000);
  std::multimap<Instant, std::shared_ptr<Job>> ends;
  std::map<std::shared_ptr<Job>, bool> left;
  std::map<std::string, Duration> waited;
  std::map<std::string, int> begun, refused;
};

constexpr Duration ms(std::int64_t n) {
  return Duration::milliseconds(n);
}
constexpr std::uint64_t kElephant = 0x9e3779b97f4a7c15, kMouse = 0xc2b2ae3d27d4eb4f;

TEST(FairQueues, ASmallFlowIsNotHeldUpByAFlood) {
  World world(20);
  for (int i = 0; i < 400; ++i) world.ask("elephant", kElephant, ms(100), 10);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(world.ask("mouse", kMouse, ms(1)));
    world.run_until(world.now + ms(50));
    for (int k = 0; k < 4; ++k) world.ask("elephant", kElephant, ms(100), 10);
  }
  world.run_until(world.now + ms(500));
  EXPECT_EQ(world.begun["mouse"], 100);
  // What is under way ends first, and each of the elephant's six queues may get one in before its
  // length is known: two at a time, 100 ms each. A fair share of a queue of 300 would be 15 s.
  EXPECT_LE(world.waited["mouse"], ms(400));
  EXPECT_GT(world.refused["elephant"], 0);
  EXPECT_GT(world.begun["elephant"], 50);
}

TEST(FairQueues, EqualFlowsGetEqualParts) {
  World world(4, {.queues = 128, .hand = 1, .queue_length_max = 500});
  // One asks for wide requests, one for long ones; both want all there is.
  for (int i = 0; i < 400; ++i) world.ask("wide", 1, ms(10), 2);
  for (int i = 0; i < 400; ++i) world.ask("long", 2, ms(20), 1);
  world.run_until(world.now + Duration::seconds(1));
  const int wide_work = world.begun["wide"] * 2 * 10, long_work = world.begun["long"] * 20;
  EXPECT_NEAR(wide_work, long_work, 0.1 * long_work);
  EXPECT_NEAR(wide_work + long_work, 4000, 200);
}

TEST(FairQueues, WideOnesAreNotStarved) {
  World world(10);
  for (int i = 0; i < 10; ++i) world.ask("small", kMouse, ms(30 + i));
  world.ask("wide", kElephant, ms(5), 10);
  for (int i = 0; i < 200; ++i) {
    world.run_until(world.now + ms(5));
    world.ask("small", kMouse, ms(30));
    world.ask("small", kMouse, ms(30));
  }
  EXPECT_EQ(world.begun["wide"], 1);
  EXPECT_LT(world.waited["wide"], ms(200));
}

TEST(FairQueues, WiderThanAllWorksAlone) {
  World world(3);
  world.ask("a", 1, ms(10), 2);
  world.ask("b", 2, ms(10), 7);
  EXPECT_EQ(world.queues.at_work(), 1);
  world.run_until(world.now + ms(10));
  EXPECT_EQ(world.queues.at_work(), 1);
  EXPECT_EQ(world.begun["b"], 1);
  world.run_until(world.now + ms(20));
  EXPECT_TRUE(world.queues.idle());
}

TEST(FairQueues, SeatsAreHeldBehindTheAnswer) {
  World world(2);
  world.ask("write", 1, ms(2), 1, 2, ms(8));
  world.ask("read", 2, ms(1));
  EXPECT_EQ(world.begun["read"], 0);
  world.run_until(world.now + ms(9));
  EXPECT_EQ(world.begun["read"], 0);
  world.run_until(world.now + ms(2));
  EXPECT_EQ(world.begun["read"], 1);
  EXPECT_TRUE(world.queues.idle());
}

TEST(FairQueues, WithoutQueuesWhoFindsNoSeatIsRefused) {
  World world(2, {});
  EXPECT_TRUE(world.ask("a", 0, ms(1)));
  EXPECT_TRUE(world.ask("a", 0, ms(1)));
  EXPECT_FALSE(world.ask("a", 0, ms(1)));
  world.run_until(world.now + ms(1));
  EXPECT_TRUE(world.ask("a", 0, ms(1)));
}

TEST(FairQueues, WhoWaitsTooLongLeaves) {
  World world(1);
  world.ask("a", 1, Duration::seconds(60));
  world.ask("a", 1, ms(1));
  EXPECT_EQ(world.queues.expire(world.now + Duration::seconds(14)).size(), 0u);
  EXPECT_EQ(world.queues.expire(world.now + Duration::seconds(15)).size(), 1u);
  EXPECT_EQ(world.queues.waiting(), 0u);
  world.run_until(world.now + Duration::seconds(61));
  EXPECT_TRUE(world.queues.idle());
}

TEST(FairQueues, FewerQueuesAreLeftOverTime) {
  World world(1);
  for (std::uint64_t i = 0; i < 300; ++i) world.ask("f" + std::to_string(i), i * kMouse, ms(1));
  world.queues.configure({.queues = 4, .hand = 2}, 1, world.now);
  for (std::uint64_t i = 0; i < 10; ++i) world.ask("late", i * kMouse, ms(1));
  world.run_until(world.now + Duration::seconds(1));
  EXPECT_TRUE(world.queues.idle());
  EXPECT_EQ(world.begun["late"], 10);
}

TEST(FairQueues, RandomLoadKeepsItsBooks) {
  Prng rng(7);
  World world(5, {.queues = 8, .hand = 3, .queue_length_max = 4});
  for (int step = 0; step < 20'000; ++step) {
    const std::string flow(1, static_cast<char>('a' + rng.below(6)));
    world.ask(flow, (rng.below(6) + 1) * kElephant, ms(1 + static_cast<int>(rng.below(40))),
              1 + static_cast<int>(rng.below(7)), static_cast<int>(rng.below(3)),
              ms(static_cast<int>(rng.below(4))));
    if (rng.below(3) == 0) world.run_until(world.now + ms(static_cast<int>(rng.below(30))));
    if (rng.below(500) == 0)
      world.queues.configure(
          {.queues = 1 + rng.below(12), .hand = 1 + rng.below(3), .queue_length_max = 4},
          1 + static_cast<int>(rng.below(9)), world.now);
    world.queues.expire(world.now);
  }
  world.run_until(world.now + Duration::seconds(60));
  EXPECT_TRUE(world.queues.idle());
  EXPECT_EQ(world.queues.demand().end_period(world.now).peak > 0, true);
}

TEST(SeatShares, AmountsStayWithinBoundsAndSumUp) {
  const auto plain = in_proportion(30, {{10, 0, 100}, {20, 0, 100}});
  EXPECT_DOUBLE_EQ(plain[0], 10);
  EXPECT_DOUBLE_EQ(plain[1], 20);
  const auto capped = in_proportion(60, {{10, 5, 12}, {20, 0, 100}, {0, 0, 100}});
  EXPECT_DOUBLE_EQ(capped[0], 12);
  EXPECT_NEAR(capped[0] + capped[1] + capped[2], 60, 1e-6);
  const auto raised = in_proportion(10, {{8, 8, 9}, {40, 0, 100}});
  EXPECT_DOUBLE_EQ(raised[0], 8);
  EXPECT_DOUBLE_EQ(raised[1], 2);
  const auto full = in_proportion(20, {{1, 0, 10}, {5, 0, 10}});
  EXPECT_DOUBLE_EQ(full[0] + full[1], 20);
}

TEST(SeatShares, LevelsLendWhatTheyDoNotNeed) {
  SeatShare busy = seat_share(false, 50, 100, 100, 50, -1);
  SeatShare idle = seat_share(false, 40, 100, 100, 90, -1);
  SeatShare proud = seat_share(false, 10, 100, 100, 0, 0);
  SeatShare exempt = seat_share(true, 0, 100, 100, 0, -1);
  std::vector<SeatShare*> all = {&busy, &idle, &proud, &exempt};
  for (int period = 0; period < 10; ++period) {
    note_demand(busy, {.average = 90, .deviation = 5, .peak = 120, .empty = false});
    note_demand(idle, {.average = 0, .deviation = 0, .peak = 1, .empty = false});
    note_demand(proud, {.average = 20, .deviation = 0, .peak = 20, .empty = false});
    note_demand(exempt, {.average = 2, .deviation = 0, .peak = 3, .empty = false});
    deal_seats(all);
  }
  EXPECT_EQ(exempt.current, 3);
  EXPECT_EQ(proud.current, 10);  // neither lends nor borrows
  EXPECT_EQ(idle.current, 4);    // what it keeps in any case
  EXPECT_EQ(busy.current, 83);
  // Who comes back gets its own again after a period.
  note_demand(idle, {.average = 40, .deviation = 0, .peak = 60, .empty = false});
  deal_seats(all);
  EXPECT_EQ(idle.current, 38);  // its nominal share, less its part of what the exempt level took
  EXPECT_LE(busy.current, 50);
}

TEST(SeatShares, DemandIsMeasuredOverTime) {
  SeatDemand demand;
  Instant now = Instant::unix_seconds(100);
  demand.set(0, now);
  demand.set(10, now + Duration::seconds(5));
  const auto period = demand.end_period(now + Duration::seconds(10));
  EXPECT_DOUBLE_EQ(period.average, 5);
  EXPECT_DOUBLE_EQ(period.deviation, 5);
  EXPECT_EQ(period.peak, 10);
  EXPECT_DOUBLE_EQ(demand.end_period(now + Duration::seconds(20)).average, 10);
}

}  // namespace
}  // namespace keelson::api
