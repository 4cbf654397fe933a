#include "codec/cel/unescape.h"

#include "codec/cel/text.h"

namespace keelson::codec::cel {

namespace {

Error bad(std::string_view message) {
  return Error{.reason = Reason::invalid, .message = std::string(message)};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_scalar(char32_t point) {
  return point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
}

std::string without_returns(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
      continue;
    }
    out += '\n';
    if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
  }
  return out;
}

}  // namespace

Result<std::string> unescape(std::string_view literal, bool bytes) {
  const std::string source = without_returns(literal);
  std::string_view text = source;
  const bool raw = text.starts_with('r') || text.starts_with('R');
  if (raw) text.remove_prefix(1);
  const bool triple = text.size() >= 6 && (text.starts_with("'''") || text.starts_with("\"\"\""));
  const std::size_t width = triple ? 3 : 1;
  if (text.size() < 2 * width) return bad("unable to unescape string");
  text = text.substr(width, text.size() - 2 * width);
  if (raw || text.find('\\') == std::string_view::npos) return std::string(text);

  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      out += text[i++];
      continue;
    }
    if (i + 1 >= text.size()) return bad("unable to unescape string, found '\\' as last character");
    const char kind = text[i + 1];
    i += 2;
    static constexpr std::string_view kFrom = "abfnrtv\\'\"`?";
    static constexpr std::string_view kTo = "\a\b\f\n\r\t\v\\'\"`?";
    if (const std::size_t place = kFrom.find(kind); place != std::string_view::npos) {
      out += kTo[place];
      continue;
    }
    std::size_t digits = 0;
    int base = 16;
    char32_t point = 0;
    if (kind == 'x' || kind == 'X') digits = 2;
    if (kind == 'u') digits = 4;
    if (kind == 'U') digits = 8;
    if (digits > 2 && bytes) return bad("unable to unescape string");
    if (digits == 0 && kind >= '0' && kind <= '3') {
      base = 8;
      digits = 2;
      point = static_cast<char32_t>(kind - '0');
    }
    if (digits == 0 || i + digits > text.size()) return bad("unable to unescape string");
    for (std::size_t k = 0; k < digits; ++k) {
      const int digit = hex_digit(text[i + k]);
      if (digit < 0 || digit >= base)
        return bad(base == 8 ? "unable to unescape octal sequence in string"
                             : "unable to unescape string");
      point = point * static_cast<char32_t>(base) + static_cast<char32_t>(digit);
    }
    i += digits;
    if (bytes) {
      out += static_cast<char>(point);
      continue;
    }
    if (!is_scalar(point)) return bad("invalid unicode code point");
    append_utf8(out, point);
  }
  return out;
}

}  // namespace keelson::codec::cel
