#include "codec/json_text.h"

#include <charconv>
#include <cstring>

#include "codec/json.h"
#include "codec/json_scan.h"

namespace keelson::codec {
namespace {

// The place behind the string that begins at `at`.
std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; at < text.size();) {
    const void* quote = std::memchr(text.data() + at, '"', text.size() - at);
    if (quote == nullptr) return text.size();
    const auto found = static_cast<std::size_t>(static_cast<const char*>(quote) - text.data());
    std::size_t backslashes = 0;
    while (found - backslashes > at && text[found - backslashes - 1] == '\\') ++backslashes;
    at = found + 1;
    if (backslashes % 2 == 0) return at;
  }
  return text.size();
}

}  // namespace

bool JsonText::is_number() const {
  return begins('-') || (!text_.empty() && text_.front() >= '0' && text_.front() <= '9');
}

std::int64_t JsonText::as_int() const {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
  return error == std::errc() && end == text_.data() + text_.size() ? value : 0;
}

double JsonText::as_double() const {
  double value = 0;
  std::from_chars(text_.data(), text_.data() + text_.size(), value);
  return value;
}

std::string_view JsonText::as_string(std::string& buffer) const {
  if (!is_string() || text_.size() < 2) return {};
  const std::string_view inner = text_.substr(1, text_.size() - 2);
  if (std::memchr(inner.data(), '\\', inner.size()) == nullptr) return inner;
  const auto parsed = parse_json(text_);
  buffer = parsed.ok() ? parsed->str() : std::string();
  return buffer;
}

JsonText JsonText::operator[](std::string_view key) const {
  Cursor cursor(*this, '{');
  std::string buffer;
  for (std::string_view name, value; cursor.next(name, value);)
    if (JsonText(name).as_string(buffer) == key) return JsonText(value);
  return {};
}

std::string_view JsonText::Cursor::take() {
  const std::string_view value = JsonScan(rest_).take();
  rest_.remove_prefix(value.size());
  return value;
}

bool JsonText::Cursor::next(std::string_view& value) {
  if (rest_.empty() || rest_.front() == ']' || rest_.front() == '}') return false;
  value = take();
  if (!rest_.empty() && rest_.front() == ',') rest_.remove_prefix(1);
  return !value.empty();
}

bool JsonText::Cursor::next(std::string_view& key, std::string_view& value) {
  if (rest_.empty() || rest_.front() != '"') return false;
  const std::size_t end = string_end(rest_, 0);
  key = rest_.substr(0, end);
  rest_.remove_prefix(end);
  if (rest_.empty() || rest_.front() != ':') return false;
  rest_.remove_prefix(1);
  return next(value);
}

}  // namespace keelson::codec
