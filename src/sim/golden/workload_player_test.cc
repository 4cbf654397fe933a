// The recordings of the workload controllers, played whole.
#include "sim/golden/workload_player.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "codec/json.h"

namespace keelson::sim::golden {
namespace {

void expect_as_recorded(const std::string& name) {
  std::ifstream in(KEELSON_SOURCE_DIR "/tests/golden/workloads/" + name);
  std::stringstream text;
  text << in.rdbuf();
  const Result<Value> file = codec::parse_json(text.str());
  ASSERT_TRUE(file.ok()) << name;
  ASSERT_TRUE(is_workload_recording(*file)) << name;
  for (const ScenarioResult& result : play_workloads(*file))
    EXPECT_TRUE(result.passed) << name << " " << result.name << "\n" << result.difference;
}

TEST(WorkloadRecordings, Random) {
  expect_as_recorded("random.json");
}
TEST(WorkloadRecordings, Deployment) {
  expect_as_recorded("deployment.json");
}
TEST(WorkloadRecordings, StatefulSet) {
  expect_as_recorded("statefulset.json");
}
TEST(WorkloadRecordings, DaemonSet) {
  expect_as_recorded("daemonset.json");
}
TEST(WorkloadRecordings, ReplicaSet) {
  expect_as_recorded("replicaset.json");
}

}  // namespace
}  // namespace keelson::sim::golden
