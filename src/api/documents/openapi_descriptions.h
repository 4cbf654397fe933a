// What the documents say of types and fields, in Keelson's own words: all kinds, and the fields
// that are used most (openapi_descriptions.inc). Shown by "kubectl explain". Read at first use.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace keelson::api {

// Of a type by its OpenAPI name; empty if nothing is said of it.
std::string_view description_of(std::string_view type);
// Of a field. `kind`: the type is a kind, of which the fields that all kinds have are described.
std::string_view description_of(std::string_view type, std::string_view field, bool kind);

// All types and fields that are described, a type by the last three parts of its name.
std::vector<std::pair<std::string_view, std::string_view>> described_names();

}  // namespace keelson::api
