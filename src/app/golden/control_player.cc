// Hands recordings of what controllers do over time to the player in sim. A state that differs is a
// failed scenario; one that runs a controller which Keelson does not have is skipped.
#include "app/golden/control_player.h"

#include "sim/golden/control_player.h"

namespace keelson::app {
namespace {

// Counted by the first part of the name: "node", "endpointslice".
std::string category_of(const codec::Value& scenario) {
  const std::string name = scenario["name"].str();
  return "controllers/" + name.substr(0, name.find('/'));
}

std::vector<PlayResult> play(const codec::Value& file, const std::string&) {
  std::vector<PlayResult> results;
  for (const codec::Value& scenario : file["scenarios"].elements()) {
    PlayResult result;
    result.category = category_of(scenario);
    result.name = scenario["name"].str();
    if (!sim::golden::can_play_control(scenario)) {
      result.skipped = true;
      result.difference = "runs a controller that Keelson does not have";
    } else {
      sim::golden::ScenarioResult played = sim::golden::play_control(scenario);
      result.passed = played.passed;
      result.difference = std::move(played.difference);
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace

Player control_player() {
  return {"controllers over time", sim::golden::is_control_recording, play};
}

}  // namespace keelson::app
