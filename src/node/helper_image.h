// The helper program, embedded: the bytes of a static executable.
#pragma once

#include <string_view>

namespace keelson::node {
std::string_view helper_image();
}
