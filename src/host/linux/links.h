// The real Links, over rtnetlink.
#pragma once

#include <memory>

#include "host/links.h"

namespace keelson::host {

std::unique_ptr<Links> make_linux_links();

}  // namespace keelson::host
