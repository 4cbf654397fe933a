// What goes on when an engine was killed: its containers, their keeper, haproxy, packet rules and
// bridge, for the next engine to adopt. `down` and `delete` without an engine end them here. The
// store is neither needed nor read, so that this works with one that is broken.
#pragma once

#include "app/instance.h"
#include "base/result.h"

namespace keelson::app {

// False: there was nothing. Error: an engine runs, or something could not be ended.
Result<bool> end_left_behind(const Instance& instance);

}  // namespace keelson::app
