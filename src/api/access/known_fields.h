// Configuration files of the API server: a field that nobody reads would be a rule that nobody
// keeps, or a misspelt condition of one that then fits everything.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::api {

// place: where `given` stands ("jwt[0].issuer"); empty for the file itself. Error: bad_request
// "PLACE.FIELD: unknown field".
Result<void> check_fields(const codec::Value& given, const std::string& place,
                          std::initializer_list<std::string_view> known);

}  // namespace keelson::api
