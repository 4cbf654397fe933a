// Recordings of node, endpoint and other controllers over time, for `keelson test golden`.
#pragma once

#include "app/golden/player.h"

namespace keelson::app {

Player control_player();

}  // namespace keelson::app
