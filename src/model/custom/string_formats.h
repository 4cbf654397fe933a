// The `format` of strings in the schemas of custom resources: which ones are known, and what text
// fits them. Behaviour: kube-openapi strfmt, and apiextensions' list of formats that it honours; an
// unknown format checks nothing. Dashes in a format's name do not count ("date-time").
#pragma once

#include <string_view>

namespace keelson::model {

bool is_known_format(std::string_view format);
// True for unknown formats.
bool matches_format(std::string_view format, std::string_view text);

}  // namespace keelson::model
