// Small helpers on text that std lacks. Pure; no locale.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keelson {

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);
std::optional<std::int64_t> parse_int(std::string_view text);  // whole text, decimal, with sign
// Go's %q: double quotes, with \n, \t, \", \\ and \x.. escapes.
std::string quote(std::string_view text);
std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);  // standard alphabet, padded
std::string to_base64url(std::string_view bytes);               // unpadded, as in a JWT
std::optional<std::string> from_base64url(std::string_view text);
std::string to_hex(std::string_view bytes);

}  // namespace keelson
