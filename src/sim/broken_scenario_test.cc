// What is wrong in a scenario is said with its line, and never played as something else.
#include <gtest/gtest.h>

#include "sim/runner.h"

namespace keelson::sim {
namespace {

std::string problem_of(const std::string& given) {
  const auto scenario =
      parse_scenario("x", "scenario a\ngiven\n" + given + "\nthen\n  at 1s  pods * count == 0\n");
  if (!scenario.ok()) return scenario.error().message;
  const auto report = run_scenario(*scenario, {});
  return report.ok() ? "" : report.error().message;
}

TEST(BrokenScenario, AmountsAndRatesAreNumbers) {
  EXPECT_EQ(problem_of("  nodes 1 cpu=4"), "");
  EXPECT_NE(problem_of("  nodes 1 cpu=banana").find("\"banana\" is no amount of cpu"),
            std::string::npos);
  EXPECT_NE(problem_of("  nodes 1 memory=-1Gi").find("is no amount of memory"), std::string::npos);
  EXPECT_NE(problem_of("  nodes 1\n  load svc/web rps=1e99").find("is no rate"), std::string::npos);
  EXPECT_NE(problem_of("  nodes 1\n  load svc/web rps=many").find("is no rate"), std::string::npos);
}

TEST(BrokenScenario, NothingHoldsOfWhatIsNotThere) {
  const auto scenario = parse_scenario(
      "x",
      "scenario a\ngiven\n  nodes 1\nthen\n  at 1s  deploy/typo .spec.replicas <= 20\n"
      "  at 1s  deploy/typo .spec.replicas == 0\n  at 1s  deploy/typo absent\n");
  ASSERT_TRUE(scenario.ok()) << scenario.error().message;
  const auto report = run_scenario(*scenario, {});
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->verdicts.size(), 3u);
  EXPECT_FALSE(report->verdicts[0].holds);
  EXPECT_FALSE(report->verdicts[1].holds);
  EXPECT_TRUE(report->verdicts[2].holds);
}

TEST(BrokenScenario, BytesThatAreNoTextAreNotShownAsTheyAre) {
  const auto scenario = parse_scenario("x", "scenario a\n\x1b[2J\x01" + std::string(5000, 'y'));
  ASSERT_FALSE(scenario.ok());
  EXPECT_EQ(scenario.error().message.find('\x1b'), std::string::npos);
  EXPECT_LT(scenario.error().message.size(), 300u);
}

}  // namespace
}  // namespace keelson::sim
