// Hands recordings of the workload controllers to the player in sim. A state that differs is a
// failed scenario.
#include "app/golden/workload_player.h"

#include "base/text.h"
#include "sim/golden/workload_player.h"

namespace keelson::app {
namespace {

// Counted by the kind that the scenario begins with.
std::string category_of(const codec::Value& scenario) {
  for (const codec::Value& object : scenario["objects"].elements()) {
    const std::string_view kind = object["kind"].as_string();
    if (kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet" ||
        kind == "ReplicaSet")
      return "workloads/" + to_lower(kind);
  }
  return "workloads/replicaset";
}

std::vector<PlayResult> play(const codec::Value& file, const std::string&) {
  std::vector<PlayResult> results;
  for (const codec::Value& scenario : file["scenarios"].elements()) {
    sim::golden::ScenarioResult played = sim::golden::play_workload(scenario);
    PlayResult result;
    result.category = category_of(scenario);
    result.name = std::move(played.name);
    result.passed = played.passed;
    result.difference = std::move(played.difference);
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace

Player workload_player() {
  return {"workload controllers", sim::golden::is_workload_recording, play};
}

}  // namespace keelson::app
