// Hands recordings of scheduler decisions to the scheduler's own player. It must not know what a
// decision is.
#include "app/golden/scheduler_player.h"

#include <utility>

#include "sched/golden_player.h"

namespace keelson::app {

Player scheduler_player() {
  const auto play = [](const codec::Value& file, const std::string&) {
    std::vector<PlayResult> results;
    for (sched::GoldenResult& result : sched::play_scheduler_recording(file))
      results.push_back({"scheduler", std::move(result.name), result.passed,
                         std::move(result.difference), false});
    return results;
  };
  return {"scheduler", sched::is_scheduler_recording, play};
}

}  // namespace keelson::app
