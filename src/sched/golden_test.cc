// Every recorded decision is played; the floors say how many must be equal.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "codec/json.h"
#include "sched/golden_player.h"

namespace keelson::sched {
namespace {

struct Floor {
  const char* file;
  std::size_t cases, passed;
};

class Golden : public testing::TestWithParam<Floor> {};

TEST_P(Golden, DecidesAsRecorded) {
  const Floor& floor = GetParam();
  std::ifstream in(std::string(KEELSON_SOURCE_DIR) + "/tests/golden/scheduler/" + floor.file);
  std::stringstream text;
  text << in.rdbuf();
  auto file = codec::parse_json(text.str());
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(is_scheduler_recording(*file));
  const auto results = play_scheduler_recording(*file);
  EXPECT_EQ(results.size(), floor.cases);
  std::size_t passed = 0, shown = 0;
  // Where all must pass the first differences are shown; elsewhere a changed count is enough.
  for (const GoldenResult& result : results) {
    if (result.passed)
      ++passed;
    else if (floor.passed == floor.cases && shown++ < 5)
      ADD_FAILURE() << result.name << "\n" << result.difference;
  }
  EXPECT_EQ(passed, floor.passed);
}

INSTANTIATE_TEST_SUITE_P(
    Files, Golden,
    testing::Values(Floor{"gates-dra.json", 23, 23}, Floor{"interpod.json", 47, 47},
                    Floor{"messages.json", 13, 13}, Floor{"node-selection.json", 43, 43},
                    Floor{"preemption.json", 46, 46}, Floor{"random-mixed.json", 78, 78},
                    Floor{"random-packed.json", 77, 77}, Floor{"random-platform.json", 45, 45},
                    Floor{"random-preempt.json", 48, 48}, Floor{"random-spread.json", 50, 50},
                    Floor{"resources.json", 70, 70}, Floor{"sampling.json", 143, 143},
                    Floor{"spread.json", 54, 54}, Floor{"taints.json", 33, 33},
                    Floor{"volumes.json", 46, 46}));

}  // namespace
}  // namespace keelson::sched
