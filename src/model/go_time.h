// Times as Go reads them from JSON, with its error texts.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace keelson::model {

// The text that is served for a metav1.Time: UTC, whole seconds. Empty for Go's zero time, which is
// served as null.
Result<std::string> served_time(std::string_view text);
// The same for a metav1.MicroTime, which wants exactly six fractional digits.
Result<std::string> served_micro_time(std::string_view text);
// The same for a metav1.Duration.
Result<std::string> served_duration(std::string_view text);

}  // namespace keelson::model
