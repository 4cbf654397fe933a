// Rules of Jobs that stand apart: the text of completion indexes, and what a status may turn into.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/validation/rules.h"

namespace keelson::model {

// "Invalid value" without the value.
void omitted(const Path& path, std::string_view detail, FieldErrors& errors);

// The number of indexes in "0,2-5"; `error` is set if the text is malformed.
std::int64_t index_count(const std::string& text, std::int64_t completions, std::string& error);

// Transitions of the status. A rule about a field holds only where the update changes it, so that a
// status which a change of spec made odd can be put right step by step.
void check_job_status(const Value& job, const Value& old, FieldErrors& errors);

}  // namespace keelson::model
