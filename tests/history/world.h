// A world in virtual time: the API server, the registry and the store as they are, on a disk that
// tears, loses and refuses writes, with a clock that jumps; around them clients that create,
// change, remove, read and watch at once. What they see becomes a History.
//
// The same seed and the same parameters give the same history.
#pragma once

#include <memory>

#include "history.h"

namespace keelson::history {

struct Parameters {
  std::uint64_t seed = 1;
  int operations = 400;  // that the clients begin, all together
  int clients = 6;
  int watchers = 4;
  int keys = 4;  // in each of two namespaces
  // What may happen besides.
  bool crashes = true;      // power cuts and kills of the process
  bool faults = true;       // of the disk: errors of writes and syncs, no room
  bool jumps = true;        // of the clock
  bool compactions = true;  // a short history, and snapshots
};
// One line that runs it again.
std::string to_text(const Parameters& parameters);

History run_world(const Parameters& parameters);

}  // namespace keelson::history
