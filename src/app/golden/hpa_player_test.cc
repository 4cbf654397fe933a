#include "app/golden/hpa_player.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "codec/json.h"

namespace keelson::app {
namespace {

TEST(HpaGolden, AllRecordingsPlayEqual) {
  std::size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(KEELSON_SOURCE_DIR "/tests/golden/hpa")) {
    std::ifstream stream(entry.path());
    std::stringstream text;
    text << stream.rdbuf();
    const auto file = codec::parse_json(text.str());
    ASSERT_TRUE(file.ok()) << entry.path();
    ASSERT_TRUE(hpa_player().recognises(*file));
    for (const PlayResult& result : hpa_player().play(*file, entry.path())) {
      ++count;
      EXPECT_TRUE(result.passed) << entry.path().filename() << " " << result.name << "\n"
                                 << result.difference;
    }
  }
  EXPECT_GE(count, 250U);
}

}  // namespace
}  // namespace keelson::app
