#include "codec/cel/format_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "codec/cel/library.h"
#include "codec/cel/text.h"
#include "codec/cel/time.h"

namespace keelson::codec::cel {

namespace {

using Kind = Datum::Kind;
constexpr int kPrecision = 6;
constexpr int kPrecisionMax = 1000;

struct Clause {
  char kind = 's';
  int precision = kPrecision;
  std::size_t length = 0;  // of its text, from the percent sign
};

Error fault(std::string message) {
  return Error{.reason = Reason::invalid, .message = std::move(message)};
}

Result<Clause> read_clause(std::string_view text) {
  const std::string_view what = "could not parse formatting clause: ";
  Clause clause;
  std::size_t at = 1;
  if (text[at] == '.') {
    const std::size_t first = ++at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    if (at >= text.size())
      return fault(std::string(what) +
                   "error while parsing precision: could not find end of precision specifier");
    const std::string digits(text.substr(first, at - first));
    const auto precision = parse_integer(digits);
    if (!precision)
      return fault(std::string(what) +
                   "error while parsing precision: error while converting precision to integer: "
                   "strconv.Atoi: parsing \"" +
                   digits + "\": " + (digits.empty() ? "invalid syntax" : "value out of range"));
    clause.precision = static_cast<int>(std::min<std::int64_t>(*precision, kPrecisionMax));
  }
  clause.kind = text[at];
  if (std::string_view("sdfebxXo").find(clause.kind) == std::string_view::npos)
    return fault(std::string(what) + "unrecognized formatting clause \"" + clause.kind + "\"");
  clause.length = at + 1;
  return clause;
}

std::string misfit(char kind, std::string_view type) {
  const char* text = "";
  switch (kind) {
    case 's':
      text =
          "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, "
          "types, durations, and timestamps";
      break;
    case 'd': text = "decimal clause can only be used on integers"; break;
    case 'f': text = "fixed-point clause can only be used on doubles"; break;
    case 'e': text = "scientific clause can only be used on doubles"; break;
    case 'b': text = "only integers and bools can be formatted as binary"; break;
    case 'o': text = "octal clause can only be used on integers"; break;
    default: text = "only integers, byte buffers, and strings can be formatted as hex"; break;
  }
  return std::string(text) + ", was given " + std::string(type);
}

Result<std::string> plain(const Datum& value);

// An element of a list or a value of a map.
Result<std::string> nested(const Datum& value) {
  switch (value.kind()) {
    case Kind::string: return quote(value.text());
    case Kind::bytes: return "b" + quote(value.text());
    case Kind::timestamp: return "timestamp(" + quote(timestamp_text(value)) + ")";
    case Kind::duration: return "duration(" + quote(duration_text(value.as_int())) + ")";
    case Kind::number: {
      const double number = value.as_double();
      if (std::isnan(number)) return quote("NaN");
      if (std::isinf(number)) return quote(number > 0 ? "+Inf" : "-Inf");
      char buffer[400];
      std::snprintf(buffer, sizeof buffer, "%.6f", number);
      return std::string(buffer);
    }
    case Kind::integer:
    case Kind::unsigned_integer:
    case Kind::boolean:
    case Kind::null:
    case Kind::type:
    case Kind::list:
    case Kind::map: return plain(value);
    default: return fault("no formatting function for " + std::string(value.type_name()));
  }
}

Result<std::string> plain(const Datum& value) {
  if (value.is_list()) {
    std::string text = "[";
    const List& list = value.as_list();
    for (std::size_t i = 0; i < list.size(); ++i) {
      TRY(const std::string element, nested(list.at(i)));
      text += (i > 0 ? ", " : "") + element;
    }
    return text + "]";
  }
  if (value.is_map()) {
    std::vector<std::pair<std::string, std::string>> entries;
    for (const Datum& key : value.as_map().keys()) {
      if (!key.is_string() && !key.is_bool() && !key.is_int() && !key.is_uint())
        return fault("no formatting function for map key of type " + std::string(key.type_name()));
      Datum element;
      value.as_map().find(key, element);
      TRY(std::string key_text, nested(key));
      TRY(std::string element_text, nested(element));
      entries.emplace_back(std::move(key_text), std::move(element_text));
    }
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string text = "{";
    for (const auto& [key, element] : entries)
      text += (text.size() > 1 ? ", " : "") + key + ":" + element;
    return text + "}";
  }
  if (value.is_null()) return std::string("null");
  switch (value.kind()) {
    case Kind::integer:
    case Kind::unsigned_integer:
    case Kind::boolean:
    case Kind::string:
    case Kind::type: return display(value);
    case Kind::number: return double_text(value.as_double());
    case Kind::timestamp: return timestamp_text(value);
    case Kind::duration: return duration_text(value.as_int());
    case Kind::bytes:
      if (is_utf8(value.text())) return std::string(value.text());
      return std::string("invalid UTF-8 in bytes, cannot convert to string");
    default: return fault(misfit('s', value.type_name()));
  }
}

// Thousands are separated by commas.
std::string grouped(std::string text) {
  std::size_t end = text.find('.');
  if (end == std::string::npos) end = text.size();
  const std::size_t begin = text[0] == '-' ? 1 : 0;
  for (std::size_t at = end; at > begin + 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

std::string superscript(int exponent) {
  static constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "⁻" : "";
  char buffer[16];
  std::snprintf(buffer, sizeof buffer, "%02d", std::abs(exponent));
  for (const char* c = buffer; *c; ++c) text += kDigits[*c - '0'];
  return text;
}

Result<std::string> real(const Datum& value, const Clause& clause) {
  double number = 0;
  if (value.is_double()) {
    number = value.as_double();
  } else if (value.is_string() && value.text() == "NaN") {
    number = NAN;
  } else if (value.is_string() && value.text() == "Infinity") {
    number = INFINITY;
  } else if (value.is_string() && value.text() == "-Infinity") {
    number = -INFINITY;
  } else {
    return fault(misfit(clause.kind, value.type_name()));
  }
  if (std::isnan(number)) return std::string("NaN");
  if (std::isinf(number)) return std::string(number > 0 ? "∞" : "-∞");
  std::string buffer(static_cast<std::size_t>(clause.precision) + 400, '\0');
  const char* format = clause.kind == 'f' ? "%.*f" : "%.*e";
  const int length = std::snprintf(buffer.data(), buffer.size(), format, clause.precision, number);
  buffer.resize(static_cast<std::size_t>(length));
  if (clause.kind == 'f') return grouped(buffer);
  const std::size_t e = buffer.find('e');
  const int exponent = static_cast<int>(*parse_integer(buffer.substr(e + 1)));
  return buffer.substr(0, e) + "\u202f×\u202f10" + superscript(exponent);
}

std::string in_base(const Datum& value, unsigned base, bool upper) {
  const bool negative = value.is_int() && value.as_int() < 0;
  std::uint64_t rest = negative ? 0 - value.as_uint() : value.as_uint();
  const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string text;
  do {
    text += digits[rest % base];
    rest /= base;
  } while (rest > 0);
  if (negative) text += '-';
  std::reverse(text.begin(), text.end());
  return text;
}

Result<std::string> formatted(const Datum& value, const Clause& clause) {
  const bool whole = value.is_int() || value.is_uint();
  switch (clause.kind) {
    case 's': return plain(value);
    case 'd':
      if (whole) return display(value);
      break;
    case 'f':
    case 'e': return real(value, clause);
    case 'b':
      if (value.is_bool()) return std::string(value.as_bool() ? "1" : "0");
      if (whole) return in_base(value, 2, false);
      break;
    case 'o':
      if (whole) return in_base(value, 8, false);
      break;
    default:
      if (whole) return in_base(value, 16, clause.kind == 'X');
      if (value.is_string() || value.is_bytes()) {
        std::string hex = to_hex(value.text());
        if (clause.kind == 'X')
          for (char& c : hex) c = static_cast<char>(c >= 'a' && c <= 'f' ? c - 32 : c);
        return hex;
      }
      break;
  }
  return fault(misfit(clause.kind, value.type_name()));
}

}  // namespace

Datum format_text(std::string_view format, const List& arguments) {
  std::string out;
  std::size_t next = 0;
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      out += format[at++];
      continue;
    }
    if (at + 1 < format.size() && format[at + 1] == '%') {
      out += '%';
      at += 2;
      continue;
    }
    if (next >= arguments.size())
      return Datum::error("index " + std::to_string(next) + " out of range");
    if (at + 1 >= format.size()) return Datum::error("unexpected end of string");
    const Result<Clause> clause = read_clause(format.substr(at));
    if (!clause.ok()) return Datum::error(clause.error().message);
    const Result<std::string> text = formatted(arguments.at(next++), *clause);
    if (!text.ok()) return Datum::error("error during formatting: " + text.error().message);
    out += *text;
    at += clause->length;
  }
  return Datum::string(out);
}

Result<std::int64_t> check_format(std::string_view format, std::int64_t arguments,
                                  const std::function<bool(std::int64_t, char, std::string&)>& fits,
                                  FormatFault& found) {
  const auto failed = [&](std::string message, std::int64_t argument) {
    found = {message, argument};
    return fault(std::move(message));
  };
  std::int64_t next = 0;
  for (std::size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      ++at;
      continue;
    }
    if (at + 1 < format.size() && format[at + 1] == '%') {
      at += 2;
      continue;
    }
    if (at + 1 >= format.size()) return failed("unexpected end of string", -1);
    if (next >= arguments) return failed("index " + std::to_string(next) + " out of range", -1);
    const Result<Clause> clause = read_clause(format.substr(at));
    if (!clause.ok()) return failed(clause.error().message, -1);
    std::string bad_type;
    if (!fits(next, clause->kind, bad_type))
      return failed("error during formatting: " + misfit(clause->kind, bad_type), next);
    ++next;
    at += clause->length;
  }
  return next;
}

}  // namespace keelson::codec::cel
