// Who is next, and when.
#include "sched/queue.h"

#include <gtest/gtest.h>

#include "sched/scheduler_harness.h"

namespace keelson::sched {
namespace {

const Instant kStart = Instant::unix_seconds(1000);

struct QueueTest : testing::Test {
  MemoryView view;
  Queue queue;
  void add(std::string_view name, std::int64_t priority = 0) {
    queue.set(view, make_pod_info(make_pod(name, "1", "1Gi", priority)));
  }
  std::string pop(Instant now) {
    const PodPointer pod = queue.pop(now);
    return pod ? pod->name : "";
  }
};

TEST_F(QueueTest, PriorityThenOrderOfArrival) {
  add("a", 1);
  add("b", 2);
  add("c", 2);
  EXPECT_EQ(pop(kStart), "b");
  EXPECT_EQ(pop(kStart), "c");
  EXPECT_EQ(pop(kStart), "a");
  EXPECT_EQ(pop(kStart), "");
}

TEST_F(QueueTest, AFailedAttemptBacksOffLongerAndLonger) {
  add("a");
  Instant now = kStart;
  for (const std::int64_t seconds : {1, 2, 4, 8, 10, 10}) {
    ASSERT_EQ(pop(now), "a");
    queue.put_failed("default/a", now);
    ASSERT_EQ(queue.next_time(now), now + Duration::seconds(seconds));
    EXPECT_EQ(pop(now + Duration::milliseconds(seconds * 1000 - 1)), "");
    now = now + Duration::seconds(seconds);
  }
}

TEST_F(QueueTest, AHelpfulChangeMovesWithoutBackOffWhenNothingElseIsToDo) {
  add("a");
  ASSERT_EQ(pop(kStart), "a");
  queue.put_unschedulable("default/a", {"NodeResourcesFit"}, kStart);
  EXPECT_EQ(pop(kStart), "");
  const Value node = make_node("n", "4", "8Gi");
  queue.on_change(view, {"nodes", Value(), node});
  EXPECT_EQ(queue.next_time(kStart), kStart);
  EXPECT_EQ(pop(kStart), "a");
}

TEST_F(QueueTest, WhoBacksOffLetsActivePodsGoFirst) {
  add("a", 10);
  ASSERT_EQ(pop(kStart), "a");
  queue.put_unschedulable("default/a", {"NodeResourcesFit"}, kStart);
  add("b", 0);
  const Value node = make_node("n", "4", "8Gi");
  queue.on_change(view, {"nodes", Value(), node});
  EXPECT_EQ(pop(kStart), "b");
  EXPECT_EQ(pop(kStart), "a");
}

TEST_F(QueueTest, AChangeThatCannotHelpMovesNobody) {
  add("a");
  ASSERT_EQ(pop(kStart), "a");
  queue.put_unschedulable("default/a", {"NodeResourcesFit"}, kStart);
  const Value small = make_node("n", "500m", "8Gi");
  queue.on_change(view, {"nodes", Value(), small});
  EXPECT_EQ(pop(kStart), "");
  EXPECT_EQ(queue.next_time(kStart), kStart + Duration::minutes(5));
  EXPECT_EQ(pop(kStart + Duration::minutes(5)), "a");
}

TEST_F(QueueTest, AChangedPodIsTriedAgainUnlessOnlyItsStatusChanged) {
  add("a");
  ASSERT_EQ(pop(kStart), "a");
  queue.put_unschedulable("default/a", {"TaintToleration"}, kStart);
  Value pod = make_pod("a", "1", "1Gi");
  pod.edit("status").set("phase", "Pending");
  queue.set(view, make_pod_info(pod));
  EXPECT_EQ(pop(kStart), "");
  pod.edit("spec").set("tolerations", Value::array({Value::object({{"operator", "Exists"}})}));
  queue.set(view, make_pod_info(pod));
  EXPECT_EQ(pop(kStart), "a");
}

TEST_F(QueueTest, RemovedPodsAreForgottenInEveryPlace) {
  add("a");
  add("b");
  ASSERT_EQ(pop(kStart), "a");
  queue.remove("default/a");
  queue.remove("default/b");
  queue.put_unschedulable("default/a", {}, kStart);
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.next_time(kStart), std::nullopt);
}

}  // namespace
}  // namespace keelson::sched
