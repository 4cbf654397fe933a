// The formats that schemas of custom resources may name. Source: apiextensions-apiserver
// pkg/apiserver/validation/formats.go.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"

namespace keelson::model {

// Whether values of this type ("" stands for any) are checked against the format; others are
// ignored.
bool is_recognised_format(std::string_view type, std::string_view format);
// The formats in a definition's spec that are not, in the order of its schemas, with repetitions.
std::vector<std::string> unrecognised_formats(const codec::Value& spec);

}  // namespace keelson::model
