// The recordings in tests/golden/controllers, with how many of each file come out as recorded.
#include "sim/golden/control_player.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "codec/json.h"

namespace keelson::sim::golden {
namespace {

// Exactly `passing`: whoever mends one raises the number.
void expect_passing(const std::string& name, int passing) {
  std::ifstream in(KEELSON_SOURCE_DIR "/tests/golden/controllers/" + name);
  std::stringstream text;
  text << in.rdbuf();
  const Result<Value> file = codec::parse_json(text.str());
  ASSERT_TRUE(file.ok()) << name;
  ASSERT_TRUE(is_control_recording(*file)) << name;
  int passed = 0;
  std::string failures;
  for (const Value& scenario : (*file)["scenarios"].elements()) {
    const ScenarioResult result = play_control(scenario);
    passed += result.passed ? 1 : 0;
    if (!result.passed) failures += result.name + "\n" + result.difference + "\n";
  }
  EXPECT_EQ(passed, passing) << failures;
}

TEST(ControlRecordings, EndpointSlice) {
  expect_passing("endpointslice.json", 26);
}
TEST(ControlRecordings, Node) {
  expect_passing("node.json", 26);
}
TEST(ControlRecordings, DisruptionBudget) {
  expect_passing("pdb.json", 25);
}
TEST(ControlRecordings, ResourceQuota) {
  expect_passing("quota.json", 17);
}
TEST(ControlRecordings, Job) {
  expect_passing("job.json", 68);
}
TEST(ControlRecordings, JobRandom) {
  expect_passing("job-random.json", 27);
}
TEST(ControlRecordings, CronJob) {
  expect_passing("cronjob.json", 62);
}
TEST(ControlRecordings, CronJobRandom) {
  expect_passing("cronjob-random.json", 19);
}

}  // namespace
}  // namespace keelson::sim::golden
