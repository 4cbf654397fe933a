#include "codec/cel/text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace keelson::codec::cel {

namespace {

// The code point at `at` and its length; 0xFFFD and 1 where the bytes are no UTF-8.
std::pair<char32_t, std::size_t> decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + length > text.size()) return {0xFFFD, 1};
  char32_t point = first & (0xFF >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {0xFFFD, 1};
    point = point << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  if (overlong || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return {0xFFFD, 1};
  return {point, length};
}

}  // namespace

std::size_t count_code_points(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count)
    at += static_cast<unsigned char>(text[at]) < 0x80 ? 1 : decode(text, at).second;
  return count;
}

std::vector<char32_t> to_code_points(std::string_view text) {
  std::vector<char32_t> points;
  points.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto [point, length] = decode(text, at);
    points.push_back(point);
    at += length;
  }
  return points;
}

void append_utf8(std::string& out, char32_t point) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

std::string to_utf8(const std::vector<char32_t>& points, std::size_t begin, std::size_t end) {
  std::string text;
  for (std::size_t i = begin; i < end && i < points.size(); ++i) append_utf8(text, points[i]);
  return text;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto [point, length] = decode(text, at);
    if (point == 0xFFFD && length == 1) return false;
    at += length;
  }
  return true;
}

std::string double_text(double value, int exponent_max) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char buffer[64];
  auto result = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string text(buffer, result.ptr);
  const std::size_t e = text.find('e');
  const int exponent = std::atoi(text.c_str() + e + 1);
  if (exponent < -4 || exponent >= exponent_max) return text;  // at least two digits, as Go has
  result = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  return std::string(buffer, result.ptr);
}

std::optional<std::int64_t> parse_integer(std::string_view text, int base) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text, int base) {
  std::uint64_t value = 0;
  if (text.starts_with('-') || text.starts_with('+')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::string_view body = text;
  if (body[0] == '+' || body[0] == '-') body.remove_prefix(1);
  std::string lower;
  for (const char c : body) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  const bool negative = text[0] == '-';
  if (lower == "inf" || lower == "infinity") return negative ? -INFINITY : INFINITY;
  if (lower == "nan") return NAN;
  const bool hex = lower.starts_with("0x");
  if (hex) {
    lower = lower.substr(2);
    if (lower.find('p') == std::string::npos) return std::nullopt;
  }
  if (lower.empty() || lower[0] == '-' || lower[0] == '+') return std::nullopt;
  double value = 0;
  const auto [end, error] =
      std::from_chars(lower.data(), lower.data() + lower.size(), value,
                      hex ? std::chars_format::hex : std::chars_format::general);
  if (end != lower.data() + lower.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // Too small reads as zero, too large is an error.
    const double rough = std::strtod(std::string(body).c_str(), nullptr);
    if (std::isinf(rough)) return std::nullopt;
    value = rough;
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

}  // namespace keelson::codec::cel
