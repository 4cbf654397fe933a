// The player of scheduler decisions.
#pragma once

#include "app/golden/player.h"

namespace keelson::app {
Player scheduler_player();
}  // namespace keelson::app
