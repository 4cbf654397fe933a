// The real Files: Linux system calls on paths of the host.
#pragma once

#include <memory>

#include "host/files.h"

namespace keelson::host {

std::unique_ptr<Files> make_linux_files();

}  // namespace keelson::host
