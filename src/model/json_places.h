// Finds a member in the text of a JSON document that is known to be well formed. Only errors need
// it: to quote a number as written, and to list what is wrong in the order of the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace keelson::model {

// Offset of the n-th (from 1) member of this path ("spec.ports[0].name"); npos if there is none.
std::size_t place_of(std::string_view text, std::string_view path, int n);
// The number that stands at this path, as written; empty if there is none.
std::string number_text_at(std::string_view text, std::string_view path);

}  // namespace keelson::model
