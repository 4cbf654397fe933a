#include "model/custom/string_formats.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <string>

#include "base/text.h"
#include "model/validation/common.h"

namespace keelson::model {
namespace {

using Fits = bool (*)(std::string_view);

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool full_match(std::string_view text, const RE2& pattern) {
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

std::string digits_of(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (is_digit(c)) out += c;
  return out;
}

bool is_object_id(std::string_view text) {
  return text.size() == 24 && std::all_of(text.begin(), text.end(), is_hex);
}

// --- addresses ---

bool fits_ipv4(std::string_view text) {
  // Leading zeros are tolerated, as by older versions of Go.
  int parts = 0;
  for (const std::string& part : split(text, '.')) {
    if (part.empty() || part.size() > 3 || !std::all_of(part.begin(), part.end(), is_digit) ||
        parse_int(part).value_or(256) > 255)
      return false;
    ++parts;
  }
  return parts == 4;
}

bool fits_ipv6(std::string_view text) {
  return text.find(':') != std::string_view::npos && is_ip(text);
}

bool fits_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view address = text.substr(0, slash), bits = text.substr(slash + 1);
  if (bits.empty() || bits.size() > 3 || !std::all_of(bits.begin(), bits.end(), is_digit))
    return false;
  const auto length = parse_int(bits);
  if (fits_ipv6(address)) return length <= 128;
  return fits_ipv4(address) && length <= 32;
}

// net.ParseMAC: 6, 8 or 20 bytes as xx:xx, xx-xx or xxxx.xxxx.
bool fits_mac(std::string_view text) {
  if (text.size() < 14) return false;
  const bool dotted = text[4] == '.';
  const char separator = dotted ? '.' : text[2];
  if (!dotted && separator != ':' && separator != '-') return false;
  const std::size_t group = dotted ? 4 : 2;
  if ((text.size() + 1) % (group + 1) != 0) return false;
  const std::size_t bytes = (text.size() + 1) / (group + 1) * (group / 2);
  if (bytes != 6 && bytes != 8 && bytes != 20) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (i % (group + 1) == group ? text[i] != separator : !is_hex(text[i])) return false;
  return true;
}

bool fits_hostname(std::string_view text) {
  static const RE2 pattern(
      R"(([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}])"
      R"((([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63}))",
      [] {
        RE2::Options options;
        options.set_max_mem(256 << 20);
        return options;
      }());
  constexpr std::size_t length_max = 255, label_max = 63;
  if (text.size() > length_max || !full_match(text, pattern)) return false;
  for (const std::string& label : split(text, '.'))
    if (label.size() > label_max) return false;
  return true;
}

// url.ParseRequestURI: an absolute path, or a scheme and what follows it.
bool fits_uri(std::string_view text) {
  if (text.empty()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return false;
  }
  if (text == "*") return true;
  std::string_view rest = text;
  bool scheme = false;
  if (is_letter(text[0]))
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == ':') {
        scheme = true;
        rest = text.substr(i + 1);
        break;
      }
      if (!is_letter(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') break;
    }
  else if (text[0] == ':')
    return false;
  rest = rest.substr(0, rest.find('?'));
  if (!rest.starts_with('/')) return scheme;
  const auto escapes_fit = [](std::string_view part) {
    for (std::size_t i = 0; i < part.size(); ++i)
      if (part[i] == '%' && (i + 2 >= part.size() || !is_hex(part[i + 1]) || !is_hex(part[i + 2])))
        return false;
    return true;
  };
  if (scheme && rest.starts_with("//")) {
    std::string_view authority = rest.substr(2);
    const std::size_t slash = authority.find('/');
    rest = slash == std::string_view::npos ? std::string_view() : authority.substr(slash);
    authority = authority.substr(0, slash);
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos)
      authority = authority.substr(at + 1);
    if (authority.find_first_of(" \"<>\\^`{|}") != std::string_view::npos) return false;
    const std::size_t colon = authority.rfind(':'), bracket = authority.rfind(']');
    if (authority.starts_with('[') != (bracket != std::string_view::npos)) return false;
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket))
      for (const char c : authority.substr(colon + 1))
        if (!is_digit(c)) return false;
  }
  return escapes_fit(rest);
}

// --- mail: net/mail.ParseAddress, without its rarest forms (groups, encoded words, literals) ---

bool is_atom(char c) {
  return static_cast<unsigned char>(c) >= 0x80 || is_letter(c) || is_digit(c) ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_dot_atom(std::string_view text) {
  if (text.empty() || text.front() == '.' || text.back() == '.') return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '.' ? text[i + 1] == '.' : !is_atom(text[i])) return false;
  return true;
}

bool is_quoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return false;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '\\') {
      if (++i + 1 >= text.size()) return false;
    } else if (text[i] == '"' || static_cast<unsigned char>(text[i]) < 0x20) {
      return false;
    }
  }
  return true;
}

bool fits_email(std::string_view given) {
  std::string_view text = trim(given);
  if (!text.empty() && text.back() == '>') {
    const std::size_t open = text.rfind('<');
    if (open == std::string_view::npos) return false;
    const std::string_view name = trim(text.substr(0, open));
    text = text.substr(open + 1, text.size() - open - 2);
    if (!name.empty() && !is_quoted(name))
      for (const std::string& word : split(name, ' '))
        if (!word.empty() && !is_dot_atom(word) && !is_quoted(word)) return false;
  }
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return false;
  const std::string_view local = text.substr(0, at), domain = text.substr(at + 1);
  return (is_dot_atom(local) || is_quoted(local)) && is_dot_atom(domain);
}

// --- numbers of things ---

bool fits_credit_card(std::string_view text) {
  static const RE2 pattern(
      R"((?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|)"
      R"(3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11}))");
  const std::string digits = digits_of(text);
  if (!full_match(digits, pattern)) return false;
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int n = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == 1) n = n * 2 > 9 ? n * 2 - 9 : n * 2;
    sum += n;
  }
  return sum % 10 == 0;
}

std::string without_spaces_and_dashes(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != '-' && std::isspace(static_cast<unsigned char>(c)) == 0) out += c;
  return out;
}

bool fits_isbn10(std::string_view given) {
  const std::string text = without_spaces_and_dashes(given);
  if (text.size() != 10) return false;
  int sum = 0;
  for (int i = 0; i < 10; ++i) {
    const char c = text[static_cast<std::size_t>(i)];
    if (!is_digit(c) && !(i == 9 && c == 'X')) return false;
    sum += (i + 1) * (c == 'X' ? 10 : c - '0');
  }
  return sum % 11 == 0;
}

bool fits_isbn13(std::string_view given) {
  const std::string text = without_spaces_and_dashes(given);
  if (text.size() != 13 || !std::all_of(text.begin(), text.end(), is_digit)) return false;
  int sum = 0;
  for (std::size_t i = 0; i < 12; ++i) sum += (i % 2 == 0 ? 1 : 3) * (text[i] - '0');
  return text[12] - '0' == (10 - sum % 10) % 10;
}

bool fits_ssn(std::string_view text) {
  static const RE2 pattern(R"(\d{3}[- ]?\d{2}[- ]?\d{4})");
  return text.size() == 11 && full_match(text, pattern);
}

// --- identifiers and colours ---

// `version`: the digit of that place; 0: any.
bool fits_uuid_version(std::string_view text, char version, bool variant) {
  std::string hex;
  std::size_t i = 0;
  for (const std::size_t length : {8, 4, 4, 4, 12}) {
    for (std::size_t n = 0; n < length; ++n, ++i) {
      if (i >= text.size() || !is_hex(text[i])) return false;
      hex += text[i];
    }
    if (length != 12 && i < text.size() && text[i] == '-') ++i;
  }
  if (i != text.size()) return false;
  if (version != 0 && hex[12] != version) return false;
  return !variant || std::string_view("89abAB").find(hex[16]) != std::string_view::npos;
}

bool fits_hex_color(std::string_view text) {
  if (text.starts_with('#')) text.remove_prefix(1);
  return (text.size() == 3 || text.size() == 6) && std::all_of(text.begin(), text.end(), is_hex);
}

bool fits_rgb_color(std::string_view text) {
  static const RE2 pattern(
      R"(rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,)"
      R"(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\))");
  return full_match(text, pattern);
}

bool fits_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return false;
  std::size_t padding = 0;
  while (padding < 2 && text[text.size() - 1 - padding] == '=') ++padding;
  return std::all_of(text.begin(), text.end() - static_cast<std::ptrdiff_t>(padding),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '/'; });
}

// --- time ---

bool fits_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  for (const std::size_t i : {0, 1, 2, 3, 5, 6, 8, 9})
    if (!is_digit(text[i])) return false;
  const auto year = parse_int(text.substr(0, 4)).value_or(0),
             month = parse_int(text.substr(5, 2)).value_or(0),
             day = parse_int(text.substr(8, 2)).value_or(0);
  if (month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  constexpr std::array<int, 12> days = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return day <= days[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

bool fits_date_time(std::string_view text) {
  static const RE2 pattern(R"((\d{2}):(\d{2}):(\d{2})(.[0-9]+)?([zZ]|([+-]\d{2}:\d{2})))");
  if (text.size() < 11 || (text[10] != 'T' && text[10] != 't')) return false;
  const std::string_view time = text.substr(11);
  return fits_date(text.substr(0, 10)) && full_match(time, pattern) && time.substr(0, 2) <= "23" &&
         time.substr(3, 2) <= "59" && time.substr(6, 2) <= "59";
}

// time.ParseDuration: "1h30m", "-1.5s", "0".
bool is_go_duration(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text == "0") return true;
  if (text.empty()) return false;
  while (!text.empty()) {
    std::size_t i = 0;
    bool digits = false;
    while (i < text.size() && is_digit(text[i])) digits = true, ++i;
    if (i < text.size() && text[i] == '.')
      for (++i; i < text.size() && is_digit(text[i]); ++i) digits = true;
    if (!digits) return false;
    text.remove_prefix(i);
    const std::size_t end = text.find_first_of(".0123456789");
    const std::string_view unit = text.substr(0, end);
    constexpr std::array units = {"ns", "us", "\u00b5s", "\u03bcs", "ms", "s", "m", "h"};
    if (std::find(units.begin(), units.end(), unit) == units.end()) return false;
    text.remove_prefix(unit.size());
  }
  return true;
}

// Go's, or any text in which some number is followed by a unit ("5 days").
bool fits_duration(std::string_view text) {
  if (is_go_duration(text)) return true;
  static const RE2 pattern(R"((\d+)\s*([A-Za-z\x{b5}]+))");
  // Of each unit the last word may have any ending ("seconds").
  static const std::array<std::array<std::string_view, 3>, 8> units = {{{"ns", "", "nano"},
                                                                        {"us", "\u00b5s", "micro"},
                                                                        {"ms", "", "milli"},
                                                                        {"s", "", "sec"},
                                                                        {"m", "", "min"},
                                                                        {"h", "hr", "hour"},
                                                                        {"d", "", "day"},
                                                                        {"w", "wk", "week"}}};
  re2::StringPiece input(text.data(), text.size());
  std::string number, unit;
  bool found = false;
  while (RE2::FindAndConsume(&input, pattern, &number, &unit)) {
    if (!parse_int(number)) return false;
    for (char& c : unit)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    for (const auto& [exact, other, start] : units)
      found = found || unit == exact || (!other.empty() && unit == other) ||
              std::string_view(unit).starts_with(start);
  }
  return found;
}

// --- names ---

bool is_label(std::string_view text) {
  const auto inner = [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-'; };
  return !text.empty() && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), inner);
}

bool fits_long_name(std::string_view text) {
  constexpr std::size_t length_max = 253;
  if (text.empty() || text.size() > length_max) return false;
  const auto labels = split(text, '.');
  return std::all_of(labels.begin(), labels.end(), is_label);
}

const std::map<std::string, Fits, std::less<>>& formats() {
  static const std::map<std::string, Fits, std::less<>> all = {
      {"bsonobjectid", is_object_id},
      {"uri", fits_uri},
      {"email", fits_email},
      {"hostname", fits_hostname},
      {"ipv4", fits_ipv4},
      {"ipv6", fits_ipv6},
      {"cidr", fits_cidr},
      {"mac", fits_mac},
      {"uuid", [](std::string_view s) { return fits_uuid_version(s, 0, false); }},
      {"uuid3", [](std::string_view s) { return fits_uuid_version(s, '3', false); }},
      {"uuid4", [](std::string_view s) { return fits_uuid_version(s, '4', true); }},
      {"uuid5", [](std::string_view s) { return fits_uuid_version(s, '5', true); }},
      {"isbn", [](std::string_view s) { return fits_isbn10(s) || fits_isbn13(s); }},
      {"isbn10", fits_isbn10},
      {"isbn13", fits_isbn13},
      {"creditcard", fits_credit_card},
      {"ssn", fits_ssn},
      {"hexcolor", fits_hex_color},
      {"rgbcolor", fits_rgb_color},
      {"byte", fits_base64},
      {"password", [](std::string_view) { return true; }},
      {"date", fits_date},
      {"duration", fits_duration},
      {"datetime", fits_date_time},
      {"k8sshortname", [](std::string_view s) { return s.size() <= 63 && is_label(s); }},
      {"k8slongname", fits_long_name},
  };
  return all;
}

Fits find_format(std::string_view format) {
  std::string name;
  for (const char c : format)
    if (c != '-') name += c;
  const auto found = formats().find(name);
  return found == formats().end() ? nullptr : found->second;
}

}  // namespace

bool is_known_format(std::string_view format) {
  return find_format(format) != nullptr;
}

bool matches_format(std::string_view format, std::string_view text) {
  const Fits fits = find_format(format);
  return fits == nullptr || fits(text);
}

}  // namespace keelson::model
