#include "control/common/script.h"

#include <gtest/gtest.h>

namespace keelson::control {
namespace {

cluster::Write named(const std::string& name) {
  cluster::Write write;
  write.resource = "pods";
  write.name = name;
  return write;
}

Result<Value> refused(const std::string& why) {
  return Error{Reason::forbidden, why};
}

TEST(Script, HandsEachResultToTheNextLine) {
  cluster::Plan plan = Script::run([](Script& script) -> Result<void> {
    TRY(const Value first, script.write(named("a")));
    script.event({Value(), false, "Made", first["name"].str()});
    TRY(const Value second, script.write(named(first["name"].str() + "b")));
    script.event({Value(), false, "Made", second["name"].str()});
    return {};
  });
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_TRUE(plan.events.empty());
  plan = plan.then({Value::object({{"name", "x"}})});
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_EQ(plan.writes[0].name, "xb");
  ASSERT_EQ(plan.events.size(), 1u);
  EXPECT_EQ(plan.events[0].message, "x");
  plan = plan.then({Value::object({{"name", "y"}})});
  EXPECT_TRUE(plan.writes.empty());
  EXPECT_FALSE(plan.then);
  ASSERT_EQ(plan.events.size(), 1u) << "an event is reported once";
  EXPECT_EQ(plan.events[0].message, "y");
  EXPECT_EQ(plan.error, "");
}

TEST(Script, AnErrorEndsThePlan) {
  cluster::Plan plan = Script::run([](Script& script) -> Result<void> {
    TRY([[maybe_unused]] const Value made, script.write(named("a")));
    script.event({Value(), false, "Never", ""});
    return {};
  });
  plan = plan.then({refused("no")});
  EXPECT_EQ(plan.error, "no");
  EXPECT_TRUE(plan.events.empty());
}

TEST(Script, WhatIsSaidWhileWaitingIsDropped) {
  const cluster::Plan plan = Script::run([](Script& script) -> Result<void> {
    (void)script.write(named("a"));
    script.event({Value(), false, "Early", ""});
    (void)script.write(named("b"));
    return Error{Reason::internal_error, "garbage"};
  });
  ASSERT_EQ(plan.writes.size(), 1u);
  EXPECT_TRUE(plan.events.empty());
  EXPECT_EQ(plan.error, "");
}

TEST(SlowStart, DoublesAndFinishesTheFailingBatch) {
  std::vector<std::size_t> batches;
  int seen = 0;
  cluster::Plan plan = Script::run([&](Script& script) -> Result<void> {
    int told = 0;
    const auto failure = write_slowly(
        script, std::vector<cluster::Write>(20, named("p")),
        [&](const cluster::Write&, const Result<Value>&) { ++told; },
        [](const Error&) { return false; });
    if (!script.waiting()) seen = told;
    if (failure) return *failure;
    return {};
  });
  while (plan.then) {
    batches.push_back(plan.writes.size());
    std::vector<Result<Value>> results(plan.writes.size(), Result<Value>(Value("ok")));
    if (batches.size() == 3) results[1] = refused("quota");
    plan = plan.then(std::move(results));
  }
  EXPECT_EQ(batches, (std::vector<std::size_t>{1, 2, 4}));
  EXPECT_EQ(seen, 7);
  EXPECT_EQ(plan.error, "quota");
}

}  // namespace
}  // namespace keelson::control
