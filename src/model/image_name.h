// Image references ("nginx:1.25", "registry:5000/a/b@sha256:..."), as the distribution project
// reads them.
#pragma once

#include <string>
#include <string_view>

namespace keelson::model {

// The tag; "latest" if there is neither tag nor digest; empty if there is a digest only, or if the
// text is no reference.
std::string image_tag(std::string_view reference);

}  // namespace keelson::model
