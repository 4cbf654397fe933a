// Recordings of the workload controllers, for `keelson test golden`.
#pragma once

#include "app/golden/player.h"

namespace keelson::app {

Player workload_player();

}  // namespace keelson::app
