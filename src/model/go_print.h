// Values as Go's JSON encoder prints the original's internal structs, which messages quote: fields
// in the struct's order under their Go names ({"APIGroup":"","Kind":"x"}), with all empty ones.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "codec/schema.h"
#include "codec/value.h"

namespace keelson::model {

// `type` is the OpenAPI name of the served type.
std::string printed_internal(std::string_view type, const codec::Value& value);
// Only these fields, in this order: a struct that is embedded in the type's.
std::string printed_internal_part(std::string_view type, const codec::Value& value,
                                  std::initializer_list<std::string_view> fields);
// The same for types that are internal and served at once (metav1): JSON names, no empty fields.
std::string printed_tagged(std::string_view type, const codec::Value& value);
// A list of such values.
std::string printed_internal_list(std::string_view type, const codec::Value& list);

}  // namespace keelson::model
