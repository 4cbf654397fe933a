// JsonScan: a place in compact JSON text that was checked before. It goes forward only and never
// leaves the text; in text that is not JSON it finds an early end. Internal to this room.
//
//   for (scan.enter(); scan.next_key(key);) scan.skip();     // an object's members
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace keelson::codec {

class JsonScan {
 public:
  explicit JsonScan(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  bool begins(char c) const { return at_ != end_ && *at_ == c; }
  // Into the object or list that begins here.
  void enter() { ++at_; }
  // At the next member's value; false behind the end of the object. The key is as it stands.
  bool next_key(std::string_view& key) {
    if (begins(',')) ++at_;
    if (!begins('"')) return leave();
    bool escaped = false;
    key = take_string(escaped);
    if (!begins(':')) return leave();
    ++at_;
    return at_ != end_;
  }
  // At the next element; false behind the end of the list.
  bool next_element() {
    if (begins(',')) ++at_;
    return at_ != end_ && *at_ != ']' && *at_ != '}' ? true : leave();
  }

  // What stands between the quotes.
  std::string_view take_string(bool& escaped);
  void skip();
  std::string_view take() {
    const char* begin = at_;
    skip();
    return {begin, static_cast<std::size_t>(at_ - begin)};
  }

 private:
  bool leave() {
    if (at_ != end_) ++at_;
    return false;
  }
  void skip_nested();
  bool skip_to_string(int& depth);

  const char* at_;
  const char* end_;
};

// What a string with escapes says, written to where there is room for as much as it has. Returns
// how long that is, or kNotUnescaped: it has some that only the reader of JSON knows.
constexpr std::size_t kNotUnescaped = SIZE_MAX;
std::size_t unescape_json(std::string_view text, char* to);

inline std::string_view JsonScan::take_string(bool& escaped) {
  const char* begin = ++at_;
#if defined(__SSE2__)
  const __m128i quotes = _mm_set1_epi8('"'), slashes = _mm_set1_epi8('\\');
  for (; end_ - at_ >= 16; at_ += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_));
    const auto found = static_cast<unsigned>(_mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi8(block, quotes), _mm_cmpeq_epi8(block, slashes))));
    if (found == 0) continue;
    at_ += __builtin_ctz(found);
    break;
  }
#endif
  for (; at_ != end_ && *at_ != '"'; ++at_) {
    if (*at_ != '\\') continue;
    escaped = true;
    if (++at_ == end_) break;
  }
  const std::string_view inner(begin, static_cast<std::size_t>(at_ - begin));
  if (at_ != end_) ++at_;
  return inner;
}

}  // namespace keelson::codec
