// EngineReport: what this machine does not let the engine do, and what is wrong in the engine
// itself, as the object that `status` and `kubectl get engines.engine.keelson.dev` read. A loss
// lasts as long as the engine runs and makes nothing unwell by itself: what suffers from it says
// so. A problem is to be mended, and counts as not well.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/server.h"
#include "codec/value.h"

namespace keelson::app {

inline constexpr const char* kEngineGroup = "engine.keelson.dev";
inline constexpr const char* kEnginePath = "/apis/engine.keelson.dev/v1alpha1/engines";

struct EngineReport {
  std::vector<std::string> losses, problems;  // a line each: what, why, how to go on
};

// {"metadata": {"name"}, "status": {"losses": [...], "problems": [...]}}
codec::Value report_object(const std::string& name, const EngineReport& report);

// Served by the API as the only object of its kind; `report` is called for each request.
api::ComputedGroup report_group(std::string name, std::function<EngineReport()> report);

}  // namespace keelson::app
