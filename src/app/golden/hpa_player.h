// Plays recordings of the HorizontalPodAutoscaler: one case is a scenario, tick by tick in virtual
// time, against the pure decision code of control/autoscale. Everything that it needs stands in the
// file.
#pragma once

#include "app/golden/player.h"

namespace keelson::app {
Player hpa_player();
}
