// The value of a text or bytes literal, from its source with quotes and prefix.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace keelson::codec::cel {

Result<std::string> unescape(std::string_view literal, bool bytes);

}  // namespace keelson::codec::cel
