// Values as Go prints them: messages of the original quote objects in Go's own notation, and
// clients see these messages.
#pragma once

#include <string>
#include <string_view>

#include "codec/value.h"

namespace keelson::codec {

// %v: "map[a:1 b:[x y]]", "<nil>".
std::string go_text(const Value& value);
// The Go type of a decoded JSON value: "map[string]interface {}", "int64"; "<nil>" for null.
std::string_view go_type(const Value& value);
// Its reflect.Kind: "map", "slice", "string", "int64", "float64", "bool".
std::string_view go_kind(const Value& value);
// The noun in encoding/json's errors: "object", "array", "string", "number", "bool".
std::string_view json_noun(const Value& value);
// Compact JSON as Go's encoder writes it: <, > and & escaped, for they could stand in a page.
std::string go_json(const Value& value);

}  // namespace keelson::codec
