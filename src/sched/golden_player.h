// Plays recordings of what the Kubernetes scheduler decides: one cluster, one pod, one attempt per
// case, compared in full: verdict and scores of each node, message, preemption.
#pragma once

#include <string>
#include <vector>

#include "codec/value.h"

namespace keelson::sched {

struct GoldenResult {
  std::string name;
  bool passed = false;
  std::string difference;  // a line for each place that differs; empty if passed
};

// Whether the file holds scheduler decisions.
bool is_scheduler_recording(const codec::Value& file);
std::vector<GoldenResult> play_scheduler_recording(const codec::Value& file);

}  // namespace keelson::sched
