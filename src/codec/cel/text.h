// Texts as CEL's original prints and counts them: code points, Go's shortest doubles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::codec::cel {

// An invalid byte counts as one code point, as in Go.
std::size_t count_code_points(std::string_view text);
std::vector<char32_t> to_code_points(std::string_view text);
std::string to_utf8(const std::vector<char32_t>& points, std::size_t begin, std::size_t end);
void append_utf8(std::string& out, char32_t point);
bool is_utf8(std::string_view text);

// strconv.FormatFloat(x, 'g', -1, 64): "1.5", "1e+21", "+Inf", "NaN".
// The exponent is written from `exponent_max` on; 21 is what %v has.
std::string double_text(double value, int exponent_max = 6);
// strconv's ParseInt, ParseUint and ParseFloat; nullopt for bad syntax or range. No underscores.
std::optional<std::int64_t> parse_integer(std::string_view text, int base = 10);
std::optional<std::uint64_t> parse_unsigned(std::string_view text, int base = 10);
std::optional<double> parse_double(std::string_view text);

}  // namespace keelson::codec::cel
