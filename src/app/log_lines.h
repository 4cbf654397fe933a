// The engine's log: every line that is written to stderr begins with the time, in UTC.
#pragma once

namespace keelson::app {

// From now on, for the whole process and its fprintf(stderr). What is written is on disk (or
// wherever descriptor 2 leads) when fprintf returns, so that the last words before a crash are
// there too.
void stamp_log_lines();

}  // namespace keelson::app
