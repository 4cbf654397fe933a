// The textual formats that Kubernetes names: labels, subdomains, keys. Each function returns what
// is wrong with the text in Kubernetes' own words (apimachinery pkg/util/validation and
// pkg/api/validate/content); no messages mean that the text is good.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::model {

using Messages = std::vector<std::string>;

Messages label_key_messages(std::string_view text);  // also "qualified name"
Messages label_value_messages(std::string_view text);
Messages dns1123_label_messages(std::string_view text);
Messages dns1123_subdomain_messages(std::string_view text);
Messages dns1123_subdomain_underscore_messages(std::string_view text);
Messages dns1035_label_messages(std::string_view text);
Messages wildcard_dns1123_subdomain_messages(std::string_view text);
Messages c_identifier_messages(std::string_view text);
Messages port_number_messages(std::int64_t port);
Messages in_range_messages(std::int64_t value, std::int64_t low, std::int64_t high);
Messages port_name_messages(std::string_view text);
Messages percent_messages(std::string_view text);
Messages http_header_name_messages(std::string_view text);
Messages environment_name_messages(std::string_view text);
Messages environment_name_relaxed_messages(std::string_view text);
Messages config_map_key_messages(std::string_view text);
// A name that stands as one segment of a URL path: not ".", "..", no "/" and no "%".
Messages path_segment_messages(std::string_view text);

std::string max_length_message(std::size_t length);
std::string range_message(std::int64_t low, std::int64_t high);
std::string regex_message(std::string_view message, std::string_view regex,
                          std::initializer_list<std::string_view> examples = {});

}  // namespace keelson::model
