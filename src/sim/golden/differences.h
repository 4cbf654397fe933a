// What two states of a recording differ in, for people.
#pragma once

#include <string>
#include <vector>

#include "codec/value.h"

namespace keelson::sim::golden {

// Adds the first differing paths of two values to `out`, a line each, as long as it holds fewer
// than `most`.
void differences(const std::string& path, const codec::Value& want, const codec::Value& got,
                 std::size_t most, std::vector<std::string>& out);

}  // namespace keelson::sim::golden
