// No regular expressions: scalars are resolved once for every value of every document.
#include "codec/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

#include "base/time.h"

namespace keelson::codec {
namespace {

using Kind = YamlScalar::Kind;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::optional<YamlScalar> word(std::string_view text) {
  if (text.size() > 5) return std::nullopt;
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return YamlScalar{.kind = Kind::null};
  if (is_one_of(text, {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}))
    return YamlScalar{.kind = Kind::boolean, .boolean = true};
  if (is_one_of(text, {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}))
    return YamlScalar{.kind = Kind::boolean, .boolean = false};
  if (is_one_of(text, {".nan", ".NaN", ".NAN"}))
    return YamlScalar{.kind = Kind::number, .number = NAN};
  if (is_one_of(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"}))
    return YamlScalar{.kind = Kind::number, .number = HUGE_VAL};
  if (is_one_of(text, {"-.inf", "-.Inf", "-.INF"}))
    return YamlScalar{.kind = Kind::number, .number = -HUGE_VAL};
  return std::nullopt;
}

// Go's ParseInt and ParseUint with base 0 on text without underscores.
std::optional<YamlScalar> integer(std::string_view text) {
  bool negative = false, sign = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    sign = true;
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char c = static_cast<char>(text[1] | 0x20);
    base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
    text.remove_prefix(base != 8 || c == 'o' ? 2 : 1);
  }
  std::uint64_t magnitude = 0;
  const auto [end, problem] =
      std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  if (text.empty() || problem != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  constexpr std::uint64_t edge = std::uint64_t{1} << 63;
  if (magnitude < edge || (negative && magnitude == edge))
    return YamlScalar{.kind = Kind::integer,
                      .integer = static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude)};
  if (sign) return std::nullopt;
  return YamlScalar{.kind = Kind::unsigned_integer, .unsigned_integer = magnitude};
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? and within the range of a double.
std::optional<YamlScalar> number(std::string_view text) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t start = i;
    while (i < text.size() && is_digit(text[i])) ++i;
    return i - start;
  };
  const auto at = [&](char c) { return i < text.size() && text[i] == c; };
  if (at('-') || at('+')) ++i;
  const std::size_t whole = digits();
  if (at('.')) {
    ++i;
    if (digits() == 0 && whole == 0) return std::nullopt;
  } else if (whole == 0) {
    return std::nullopt;
  }
  if (at('e') || at('E')) {
    ++i;
    if (at('-') || at('+')) ++i;
    if (digits() == 0) return std::nullopt;
  }
  if (i != text.size()) return std::nullopt;
  if (text[0] == '+') text.remove_prefix(1);
  double d = 0;
  const auto problem = std::from_chars(text.data(), text.data() + text.size(), d).ec;
  if (problem != std::errc()) {
    // Out of range is both too big, which stays text, and too small, which is zero.
    const std::size_t e = text.find_first_of("eE");
    if (e == std::string_view::npos || text[e + 1] != '-') return std::nullopt;
    d = text[0] == '-' ? -0.0 : 0.0;
  }
  return YamlScalar{.kind = Kind::number, .number = d};
}

// 2006-1-2, alone or with 15:4:5 and a fraction: after T with a zone, after a blank without.
bool is_time(std::string_view text) {
  std::size_t i = 0;
  const auto part = [&](std::size_t least, std::size_t most, int from, int to) {
    int n = 0;
    std::size_t count = 0;
    while (i < text.size() && is_digit(text[i]) && count < most) {
      n = n * 10 + (text[i] - '0');
      ++i, ++count;
    }
    return count >= least && n >= from && n <= to;
  };
  const auto mark = [&](char c) { return i < text.size() && text[i] == c && ++i; };
  if (!part(4, 4, 0, 9999) || !mark('-') || !part(1, 2, 1, 12) || !mark('-') || !part(1, 2, 1, 31))
    return false;
  if (i == text.size()) return true;
  const bool blank = text[i] == ' ';
  if (!blank && text[i] != 'T' && text[i] != 't') return false;
  ++i;
  if (!part(1, 2, 0, 23) || !mark(':') || !part(1, 2, 0, 59) || !mark(':') || !part(1, 2, 0, 59))
    return false;
  if (mark('.') && !part(1, 20, INT32_MIN, INT32_MAX)) return false;
  if (blank) return i == text.size();
  if (mark('Z')) return i == text.size();
  return (mark('+') || mark('-')) && part(2, 2, 0, 24) && mark(':') && part(2, 2, 0, 60) &&
         i == text.size();
}

}  // namespace

YamlScalar resolve_yaml_scalar(std::string_view text, bool allow_time) {
  // The first byte says what a text may be; nearly all texts end here.
  const char first = text.empty() ? '~' : text[0];
  constexpr std::string_view word_starts = "yYnNtTfFoO~.+-";
  const bool numeric = is_digit(first) || first == '+' || first == '-' || first == '.';
  if (!numeric && word_starts.find(first) == std::string_view::npos) return {};
  if (!is_digit(first))
    if (const auto known = word(text)) return *known;
  if (!numeric) return {};
  if (first == '.') {
    const auto found = number(text);
    return found ? *found : YamlScalar{};
  }
  if (allow_time && is_time(text)) return {.kind = Kind::time};
  std::string plain;
  if (text.find('_') != std::string_view::npos) {
    std::copy_if(text.begin(), text.end(), std::back_inserter(plain),
                 [](char c) { return c != '_'; });
    text = plain;
  }
  if (const auto found = integer(text)) return *found;
  if (const auto found = number(text)) return *found;
  return {};
}

std::string number_text(double number, int bits) {
  if (std::isnan(number)) return ".nan";
  if (std::isinf(number)) return number < 0 ? "-.inf" : ".inf";
  std::array<char, 64> buffer{};
  char* const first = buffer.data();
  char* const last = first + buffer.size();
  const auto write = [&](std::chars_format format) {
    return bits == 32 ? std::to_chars(first, last, static_cast<float>(number), format)
                      : std::to_chars(first, last, number, format);
  };
  const std::string scientific(first, write(std::chars_format::scientific).ptr);
  const std::size_t e = scientific.find('e');
  int exponent = 0;
  const char* digits = scientific.data() + e + 1;
  if (*digits == '+') ++digits;
  std::from_chars(digits, scientific.data() + scientific.size(), exponent);
  if (exponent < -4 || exponent >= 6) return scientific;
  const std::string fixed(first, write(std::chars_format::fixed).ptr);
  return fixed;
}

bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto byte = [&](std::size_t k) -> std::uint32_t {
      return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0;
    };
    const std::uint32_t lead = byte(0);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xf0 && lead < 0xf5   ? 4
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                                                             : 0;
    if (length == 0) return false;
    std::uint32_t c = lead & (0x7fU >> length);
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(k) & 0xc0) != 0x80) return false;
      c = c << 6 | (byte(k) & 63);
    }
    if ((length == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) ||
        (length == 4 && (c < 0x10000 || c >= 0x110000)))
      return false;
    i += length;
  }
  return true;
}

}  // namespace keelson::codec
