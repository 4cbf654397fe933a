// Plays recordings of what controllers do over time with few or many objects (EndpointSlices, lost
// nodes, budgets, quotas): each scenario's timeline against the World, the nodes and pods of
// ControlEnvironment, and the real controllers, in virtual time. At every instant at which
// something watched changes, the state must be as recorded. Format:
// tests/golden/controllers/README.md; the words of states: control_picture.h.
//
// It differs from workload_player.h in what the recordings lay down: names, graceful deletion,
// leases, restarts of controllers, and states that hold only what changed.
#pragma once

#include <string>

#include "codec/value.h"
#include "sim/golden/workload_player.h"

namespace keelson::sim::golden {

// Whether the file is a recording of this kind.
bool is_control_recording(const Value& file);
// Whether Keelson has all the controllers that the scenario runs.
bool can_play_control(const Value& scenario);
ScenarioResult play_control(const Value& scenario);

}  // namespace keelson::sim::golden
