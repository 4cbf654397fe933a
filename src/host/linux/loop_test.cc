// The live loop against real descriptors, threads and the clock. Every test ends by an event, not
// by waiting.
#include "host/linux/loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <vector>

namespace keelson::host {
namespace {

TEST(LinuxLoop, RunsTimersInOrderOfTimeThenOfCall) {
  LinuxLoop loop;
  const Instant start = loop.now();
  std::vector<int> order;
  const auto c = loop.call_at(start + Duration::milliseconds(2), [&] {
    order.push_back(3);
    loop.stop();
  });
  const auto a = loop.call_at(start, [&] { order.push_back(1); });
  const auto b = loop.call_at(start, [&] { order.push_back(2); });
  auto dropped = loop.call_at(start, [&] { order.push_back(9); });
  dropped.reset();
  loop.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_GE(loop.now(), start + Duration::milliseconds(2));
}

TEST(LinuxLoop, TimerMayDropItselfAndOthers) {
  LinuxLoop loop;
  std::shared_ptr<void> first, second;
  first = loop.call_at(loop.now(), [&] {
    first.reset();
    second.reset();
    loop.post([&] { loop.stop(); });
  });
  second = loop.call_at(loop.now(), [&] { FAIL(); });
  loop.run();
}

TEST(LinuxLoop, TimerForNowDoesNotStarvePostedCalls) {
  LinuxLoop loop;
  std::shared_ptr<void> timer;
  std::function<void()> again = [&] { timer = loop.call_at(loop.now(), again); };
  again();
  loop.post([&] { loop.post([&] { loop.post([&] { loop.stop(); }); }); });
  loop.run();
}

TEST(LinuxLoop, TakesPostsFromAnyThreadInOrder) {
  LinuxLoop loop;
  std::vector<int> seen;
  std::thread thread([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&seen, i] { seen.push_back(i); });
    loop.post([&] { loop.stop(); });
  });
  loop.run();
  thread.join();
  ASSERT_EQ(seen.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(LinuxLoop, OffloadWorksElsewhereAndReportsHere) {
  LinuxLoop loop;
  const std::thread::id here = std::this_thread::get_id();
  std::thread::id worker, reporter;
  loop.offload([&] { worker = std::this_thread::get_id(); },
               [&] {
                 reporter = std::this_thread::get_id();
                 loop.stop();
               });
  loop.run();
  EXPECT_NE(worker, here);
  EXPECT_EQ(reporter, here);
}

TEST(LinuxLoop, WatchMayCloseAndWatchAgainInsideItsOwnCallback) {
  LinuxLoop loop;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  std::shared_ptr<void> watch;
  watch = loop.watch_fd(ends[0], true, false, [&](bool, bool) {
    watch.reset();
    watch = loop.watch_fd(ends[0], true, false, [&](bool readable, bool) {
      EXPECT_TRUE(readable);
      watch.reset();
      ::close(ends[0]);
      loop.stop();
    });
  });
  loop.run();
  ::close(ends[1]);
}

TEST(LinuxLoop, ClockNeverGoesBack) {
  const LinuxLoop loop;
  Instant last = loop.now();
  for (int i = 0; i < 1000; ++i) {
    const Instant now = loop.now();
    EXPECT_GE(now, last);
    last = now;
  }
}

TEST(LinuxLoop, HandlesMayOutliveTheLoop) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  std::shared_ptr<void> timer, watch;
  {
    LinuxLoop loop;
    timer = loop.call_at(loop.now(), [] {});
    watch = loop.watch_fd(ends[0], true, false, [](bool, bool) {});
    loop.post([timer] {});
  }
  watch.reset();
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace keelson::host
