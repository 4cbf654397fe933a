// How the API server shows what an update may not change: a unified diff of both values as indented
// JSON, as apimachinery pkg/util/diff makes it with difflib.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keelson::model {

// Compact JSON as json.MarshalIndent(value, "", " ") writes it.
std::string indented_json(std::string_view json);

// Both texts are compact JSON. Three lines of context; empty if there is no difference.
std::string json_diff(std::string_view before, std::string_view after);

}  // namespace keelson::model
