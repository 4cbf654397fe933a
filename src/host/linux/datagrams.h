// The real Datagrams.
#pragma once

#include <memory>

#include "host/datagrams.h"
#include "host/linux/loop.h"

namespace keelson::host {

std::unique_ptr<Datagrams> make_linux_datagrams(LinuxLoop& loop);

}  // namespace keelson::host
