// Reads the tables of types/ into codec::Type and Resource. A malformed table is a bug of ours and
// ends the process at start.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "codec/schema.h"
#include "model/types.h"

namespace keelson::model {

struct BuiltinTypes {
  std::deque<codec::Type> arena;
  std::map<std::string, const codec::Type*, std::less<>> types;  // by OpenAPI name
  std::vector<Resource> resources;
};

BuiltinTypes parse_types(const std::vector<std::string_view>& tables);
// Parsed once, from what is embedded.
const BuiltinTypes& builtin_types();

}  // namespace keelson::model
