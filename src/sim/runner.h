// Runner: plays a scenario and says, sentence by sentence, whether it holds.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sim/scenario.h"

namespace keelson::sim {

struct Verdict {
  int line = 0;
  std::string text;  // the sentence
  bool holds = false;
  std::string detail;  // when and what, if it does not
};

struct RunReport {
  std::vector<Verdict> verdicts;
  std::vector<std::string> traces;  // one line per trace: "0s 3 | 1m15s 6"
  std::uint64_t state_hash = 0;
  Duration length;
  std::int64_t revisions = 0;
  bool good() const;
};

struct RunOptions {
  std::uint64_t seed = 1;
  std::function<void(const std::string&)> log;  // every change, if set
};

// Error: bad_request for a phrase that cannot be carried out ("FILE:LINE: ...").
Result<RunReport> run_scenario(const Scenario& scenario, const RunOptions& options);

}  // namespace keelson::sim
