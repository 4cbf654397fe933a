// A recursive reader over the text, without look-ahead beyond one byte. One pass, and a second one
// to name members that stand more than once.
#include "codec/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <set>

#include "codec/plain_text.h"

namespace keelson::codec {
namespace {

constexpr int kDepthMax = 10'000;

// Go's %q of one character, as its JSON scanner prints it.
std::string quote_char(unsigned char c) {
  if (c == '\'') return "'\\''";
  if (c == '"') return "'\"'";
  std::array<char, 16> buffer{};
  if (c == '\\') return "'\\\\'";
  if (c == '\n') return "'\\n'";
  if (c == '\r') return "'\\r'";
  if (c == '\t') return "'\\t'";
  if (c == 0) return "'\\x00'";
  if (c < 0x20 || c == 0x7f)
    std::snprintf(buffer.data(), buffer.size(), "'\\x%02x'", c);
  else if (c < 0x80)
    std::snprintf(buffer.data(), buffer.size(), "'%c'", c);
  else
    return std::string("'") + static_cast<char>(0xc0 | c >> 6) +
           static_cast<char>(0x80 | (c & 0x3f)) + "'";
  return buffer.data();
}

enum class Duplicates : std::uint8_t { detect, name };

class Reader {
 public:
  Reader(std::string_view text, Duplicates duplicates) : text_(text), duplicates_(duplicates) {}

  Result<JsonDocument> read() {
    JsonDocument document;
    skip_space();
    if (!value(document.value)) return error();
    skip_space();
    if (at_ < text_.size()) {
      fail("after top-level value");
      return error();
    }
    document.duplicates = std::move(names_);
    return document;
  }
  bool found_duplicates() const { return found_duplicates_; }

 private:
  bool value(Value& out) {
    if (at_ >= text_.size()) return fail("");
    switch (text_[at_]) {
      case '{': return object(out);
      case '[': return array(out);
      case '"': {
        std::string_view text;
        if (!string(text)) return false;
        out = Value(text);
        return true;
      }
      case 't': out = Value(true); return literal("true");
      case 'f': out = Value(false); return literal("false");
      case 'n': out = Value(); return literal("null");
      default: return number(out);
    }
  }

  // Members and elements gather on one stack for the whole text, so that each object and array is
  // allocated once and at its exact size.
  bool object(Value& out) {
    if (++depth_ > kDepthMax) return too_deep();
    ++at_;
    const std::size_t first = members_.size();
    std::set<std::string, std::less<>> seen;
    skip_space();
    if (peek() == '}') {
      ++at_;
    } else {
      while (true) {
        skip_space();
        if (peek() != '"') return fail("looking for beginning of object key string");
        std::string_view key;
        if (!string(key)) return false;
        members_.push_back(Member{Value(key), Value()});
        skip_space();
        if (peek() != ':') return fail("after object key");
        ++at_;
        skip_space();
        if (!member_value(seen)) return false;
        skip_space();
        const int c = peek();
        if (c != ',' && c != '}') return fail("after object key:value pair");
        ++at_;
        if (c == '}') break;
      }
    }
    --depth_;
    const auto begin = members_.begin() + static_cast<std::ptrdiff_t>(first);
    const std::size_t count = members_.size() - first;
    out = Value::object_of(std::vector<Member>(std::make_move_iterator(begin),
                                               std::make_move_iterator(members_.end())));
    members_.resize(first);
    found_duplicates_ = found_duplicates_ || out.size() != count;
    return true;
  }

  // Reads the value of the last member on the stack, which may move while that is read.
  bool member_value(std::set<std::string, std::less<>>& seen) {
    const std::size_t index = members_.size() - 1;
    const std::size_t length = path_.size();
    const bool naming = duplicates_ == Duplicates::name;
    if (naming) {
      if (!path_.empty()) path_ += '.';
      path_ += members_[index].key();
    }
    Value member;
    if (!value(member)) return false;
    members_[index].value = std::move(member);
    if (naming) {
      if (!seen.emplace(members_[index].key()).second) names_.push_back(path_);
      path_.resize(length);
    }
    return true;
  }

  bool array(Value& out) {
    if (++depth_ > kDepthMax) return too_deep();
    ++at_;
    const std::size_t first = elements_.size();
    skip_space();
    if (peek() == ']') {
      ++at_;
    } else {
      while (true) {
        skip_space();
        const std::size_t length = path_.size();
        if (duplicates_ == Duplicates::name)
          path_ += '[' + std::to_string(elements_.size() - first) + ']';
        Value element;
        if (!value(element)) return false;
        elements_.push_back(std::move(element));
        path_.resize(length);
        skip_space();
        const int c = peek();
        if (c != ',' && c != ']') return fail("after array element");
        ++at_;
        if (c == ']') break;
      }
    }
    --depth_;
    const auto begin = elements_.begin() + static_cast<std::ptrdiff_t>(first);
    out = Value(Array(std::make_move_iterator(begin), std::make_move_iterator(elements_.end())));
    elements_.resize(first);
    return true;
  }

  bool literal(std::string_view word) {
    for (std::size_t i = 0; i < word.size(); ++i, ++at_) {
      if (peek() == word[i]) continue;
      return fail("in literal " + std::string(word) + " (expecting " +
                  quote_char(static_cast<unsigned char>(word[i])) + ")");
    }
    return true;
  }

  static bool is_digit(int c) { return c >= '0' && c <= '9'; }

  bool number(Value& out) {
    const std::size_t start = at_;
    bool integral = true;
    if (peek() == '-') {
      ++at_;
      if (!is_digit(peek())) return fail("in numeric literal");
    }
    if (!is_digit(peek())) return fail("looking for beginning of value");
    if (peek() == '0')
      ++at_;
    else
      while (is_digit(peek())) ++at_;
    if (peek() == '.') {
      integral = false;
      ++at_;
      if (!is_digit(peek())) return fail("after decimal point in numeric literal");
      while (is_digit(peek())) ++at_;
    }
    if (peek() == 'e' || peek() == 'E') {
      integral = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!is_digit(peek())) return fail("in exponent of numeric literal");
      while (is_digit(peek())) ++at_;
    }
    const char* first = text_.data() + start;
    const char* last = text_.data() + at_;
    if (integral) {
      std::int64_t i = 0;
      if (std::from_chars(first, last, i).ec == std::errc()) {
        out = Value(i);
        return true;
      }
    }
    double d = 0;
    if (std::from_chars(first, last, d).ec != std::errc()) d = *first == '-' ? -HUGE_VAL : HUGE_VAL;
    if (std::isinf(d)) {
      message_ = "json: cannot unmarshal number " + std::string(first, last) +
                 " into Go value of type float64";
      return false;
    }
    out = Value(d);
    return true;
  }

  void skip_plain() { at_ += plain_length<Plain::ascii>(text_.substr(at_)); }

  // `out` lives until the next string is read.
  bool string(std::string_view& out) {
    ++at_;
    std::size_t start = at_;
    skip_plain();
    if (peek() == '"') {
      out = text_.substr(start, at_ - start);
      ++at_;
      return true;
    }
    scratch_.clear();
    while (true) {
      scratch_.append(text_.substr(start, at_ - start));
      const int c = peek();
      if (c == '"') {
        ++at_;
        out = scratch_;
        return true;
      }
      if (c == '\\') {
        if (!escape(scratch_)) return false;
      } else if (c >= 0x80) {
        utf8(scratch_);
      } else {
        return fail("in string literal");
      }
      start = at_;
      skip_plain();
    }
  }

  bool escape(std::string& out) {
    ++at_;
    const int c = peek();
    constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    if (c > 0 && from.find(static_cast<char>(c)) != std::string_view::npos) {
      out += to[from.find(static_cast<char>(c))];
      ++at_;
      return true;
    }
    if (c != 'u') return fail("in string escape code");
    ++at_;
    std::uint32_t unit = 0;
    if (!hex4(unit)) return false;
    if (unit >= 0xd800 && unit < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      const std::size_t back = at_;
      at_ += 2;
      std::uint32_t low = 0;
      if (!hex4(low)) return false;
      if (low >= 0xdc00 && low < 0xe000)
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
      else
        at_ = back;
    }
    if (unit >= 0xd800 && unit < 0xe000) unit = 0xfffd;
    append_code_point(out, unit);
    return true;
  }

  bool hex4(std::uint32_t& unit) {
    for (int i = 0; i < 4; ++i, ++at_) {
      const int c = peek();
      int digit = 0;
      if (is_digit(c))
        digit = c - '0';
      else if (c >= 'a' && c <= 'f')
        digit = c - 'a' + 10;
      else if (c >= 'A' && c <= 'F')
        digit = c - 'A' + 10;
      else
        return fail("in \\u hexadecimal character escape");
      unit = unit << 4 | static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  static void append_code_point(std::string& out, std::uint32_t c) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += static_cast<char>(0xc0 | c >> 6);
      out += static_cast<char>(0x80 | (c & 63));
    } else if (c < 0x10000) {
      out += static_cast<char>(0xe0 | c >> 12);
      out += static_cast<char>(0x80 | (c >> 6 & 63));
      out += static_cast<char>(0x80 | (c & 63));
    } else {
      out += static_cast<char>(0xf0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 63));
      out += static_cast<char>(0x80 | (c >> 6 & 63));
      out += static_cast<char>(0x80 | (c & 63));
    }
  }

  // Copies one well-formed sequence, or U+FFFD for one bad byte.
  void utf8(std::string& out) {
    const auto byte = [&](std::size_t i) -> std::uint32_t {
      return at_ + i < text_.size() ? static_cast<unsigned char>(text_[at_ + i]) : 0;
    };
    const std::uint32_t lead = byte(0);
    const std::size_t length = lead >= 0xf0 && lead < 0xf5   ? 4
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                                                             : 0;
    bool good = length != 0;
    for (std::size_t i = 1; i < length; ++i) good = good && (byte(i) & 0xc0) == 0x80;
    if (good && length == 3) {
      const std::uint32_t c = (lead & 15) << 12 | (byte(1) & 63) << 6 | (byte(2) & 63);
      good = c >= 0x800 && (c < 0xd800 || c >= 0xe000);
    }
    if (good && length == 4) {
      const std::uint32_t c =
          (lead & 7) << 18 | (byte(1) & 63) << 12 | (byte(2) & 63) << 6 | (byte(3) & 63);
      good = c >= 0x10000 && c < 0x110000;
    }
    if (good) {
      out.append(text_.substr(at_, length));
      at_ += length;
    } else {
      out += "\xef\xbf\xbd";
      ++at_;
    }
  }

  int peek() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  bool fail(const std::string& context) {
    if (at_ >= text_.size())
      message_ = "unexpected end of JSON input";
    else
      message_ =
          "invalid character " + quote_char(static_cast<unsigned char>(text_[at_])) + " " + context;
    return false;
  }
  bool too_deep() {
    message_ = "exceeded max depth";
    return false;
  }
  Error error() const { return Error{.reason = Reason::bad_request, .message = message_}; }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::vector<Member> members_;
  Array elements_;
  std::string scratch_;
  std::string message_;
  Duplicates duplicates_;
  bool found_duplicates_ = false;
  std::string path_;                // only while naming
  std::vector<std::string> names_;  // likewise
};

// As Go's encoding/json: the fewest digits that read back as the same number; an exponent only
// below 1e-6 and from 1e21 on.
void append_number(std::string& out, double d) {
  if (!std::isfinite(d)) {
    out += "null";
    return;
  }
  std::array<char, 64> buffer{};
  char* const first = buffer.data();
  char* const last = first + buffer.size();
  const double magnitude = std::abs(d);
  const bool scientific = magnitude != 0 && (magnitude < 1e-6 || magnitude >= 1e21);
  if (!scientific && magnitude < 9e15) {
    out.append(first, std::to_chars(first, last, d, std::chars_format::fixed).ptr);
    return;
  }
  std::string text(first, std::to_chars(first, last, d, std::chars_format::scientific).ptr);
  const std::size_t e = text.find('e');
  if (scientific) {
    // Go writes 1e-7, not 1e-07.
    if (text[e + 1] == '-' && text[e + 2] == '0') text.erase(e + 2, 1);
    out += text;
    return;
  }
  // A large whole number: the digits, then zeros, where printf would go on with those of the binary
  // value.
  const int exponent = static_cast<int>(std::strtol(text.c_str() + e + 1, nullptr, 10));
  std::string digits = text.substr(0, e);
  if (const std::size_t point = digits.find('.'); point != std::string::npos)
    digits.erase(point, 1);
  const std::size_t sign = digits[0] == '-' ? 1 : 0;
  digits.resize(std::max(digits.size(), sign + static_cast<std::size_t>(exponent) + 1), '0');
  out += digits;
}

void append_indented(std::string& out, const Value& value, int depth) {
  const std::string pad(static_cast<std::size_t>(depth) * 2, ' ');
  if (value.is_array() && !value.empty()) {
    out += "[\n";
    for (std::size_t i = 0; i < value.size(); ++i) {
      out += pad + "  ";
      append_indented(out, value[i], depth + 1);
      out += i + 1 < value.size() ? ",\n" : "\n";
    }
    out += pad + "]";
  } else if (value.is_object() && !value.empty()) {
    out += "{\n";
    std::size_t i = 0;
    for (const Member& m : value.members()) {
      out += pad + "  ";
      append_json_string(out, m.key());
      out += ": ";
      append_indented(out, m.value, depth + 1);
      out += ++i < value.size() ? ",\n" : "\n";
    }
    out += pad + "}";
  } else {
    append_json(out, value);
  }
}

}  // namespace

Result<JsonDocument> parse_json_document(std::string_view text) {
  Reader reader(text, Duplicates::detect);
  Result<JsonDocument> document = reader.read();
  if (!reader.found_duplicates() || !document.ok()) return document;
  // Rare; only now it is worth to keep track of paths.
  return Reader(text, Duplicates::name).read();
}

Result<Value> parse_json(std::string_view text) {
  TRY(JsonDocument document, parse_json_document(text));
  return std::move(document.value);
}

namespace {

// Text from its first byte that is not plain on.
void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: {
        std::array<char, 8> buffer{};
        std::snprintf(buffer.data(), buffer.size(), "\\u%04x", c);
        out += buffer.data();
      }
    }
    const std::size_t plain = plain_length<Plain::escaped_out>(text);
    out += text.substr(0, plain);
    text.remove_prefix(plain);
  }
}

// Between `before` and `after`; a short plain text, as nearly every key is, in one piece.
void append_string(std::string& out, std::string_view before, std::string_view text,
                   std::string_view after) {
  const std::size_t plain = plain_length<Plain::escaped_out>(text);
  std::array<char, 128> piece;
  if (plain == text.size() && before.size() + text.size() + after.size() + 2 <= piece.size()) {
    char* at = std::copy(before.begin(), before.end(), piece.data());
    *at++ = '"';
    std::memcpy(at, text.data(), text.size());
    at += text.size();
    *at++ = '"';
    at = std::copy(after.begin(), after.end(), at);
    out.append(piece.data(), static_cast<std::size_t>(at - piece.data()));
    return;
  }
  out += before;
  out += '"';
  out += text.substr(0, plain);
  if (plain < text.size()) append_escaped(out, text.substr(plain));
  out += '"';
  out += after;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  append_string(out, "", text, "");
}

void append_json(std::string& out, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: out += "null"; return;
    case Value::Kind::boolean: out += value.as_bool() ? "true" : "false"; return;
    case Value::Kind::integer: {
      std::array<char, 24> buffer{};
      out.append(buffer.data(),
                 std::to_chars(buffer.data(), buffer.data() + buffer.size(), value.as_int()).ptr);
      return;
    }
    case Value::Kind::number: append_number(out, value.as_double()); return;
    case Value::Kind::string: append_string(out, "", value.as_string(), ""); return;
    case Value::Kind::array: {
      out += '[';
      bool first = true;
      for (const Value& element : value.elements()) {
        if (!first) out += ',';
        first = false;
        append_json(out, element);
      }
      out += ']';
      return;
    }
    case Value::Kind::object: {
      std::string_view before = "{";
      for (const Member& m : value.members()) {
        const bool nothing = m.value.is_object() && m.value.empty();
        append_string(out, before, m.key(), nothing ? ":{}" : ":");
        if (!nothing) append_json(out, m.value);
        before = ",";
      }
      out += value.empty() ? "{}" : "}";
      return;
    }
  }
}

std::string to_json(const Value& value) {
  std::string out;
  append_json(out, value);
  return out;
}

std::string to_json_indented(const Value& value) {
  std::string out;
  append_indented(out, value, 0);
  return out;
}

}  // namespace keelson::codec
