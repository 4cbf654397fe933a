// The engine's log: every line that is written to stderr begins with the time, in UTC.
#pragma once

#include <cstdint>
#include <string>

namespace keelson::app {

// From now on, for the whole process and its fprintf(stderr). What is written is on disk (or
// wherever descriptor 2 leads) when fprintf returns, so that the last words before a crash are
// there too. If that is the file `path` (start_engine's), it does not grow without limit: beyond
// size_max it is renamed to PATH.1, which replaces the one before, and begun anew.
void stamp_log_lines(const std::string& path = {}, std::int64_t size_max = 64 << 20);

}  // namespace keelson::app
