#include "codec/json_scan.h"

#include <algorithm>
#include <bit>

namespace keelson::codec {

void JsonScan::skip() {
  if (at_ == end_) return;
  if (*at_ == '"') {
    bool escaped = false;
    take_string(escaped);
  } else if (*at_ == '{' || *at_ == '[') {
    skip_nested();
  } else {
    while (at_ != end_ && *at_ != ',' && *at_ != '}' && *at_ != ']') ++at_;
  }
}

void JsonScan::skip_nested() {
  int depth = 0;
#if defined(__SSE2__)
  // Blocks without escapes: strings are what lies between an odd and an even quote.
  const auto mask_of = [](__m128i block, char c) {
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(c))));
  };
  const __m128i fold = _mm_set1_epi8(0x20);
  unsigned within = 0;  // all bits set: the block begins in a string
  while (end_ - at_ >= 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_));
    if (mask_of(block, '\\') != 0) {
      // By the byte to the end of this string; the blocks begin anew behind it.
      if (within == 0 && skip_to_string(depth)) return;
      if (within != 0) --at_;
      within = 0;
      bool escaped = false;
      take_string(escaped);
      continue;
    }
    unsigned strings = mask_of(block, '"');
    const bool turns = __builtin_parity(strings) != 0;
    strings ^= strings << 1;
    strings ^= strings << 2;
    strings ^= strings << 4;
    strings ^= strings << 8;
    strings ^= within;
    // With the bit that tells them apart set, a bracket looks as a brace does.
    const __m128i folded = _mm_or_si128(block, fold);
    const unsigned opening = mask_of(folded, '{') & ~strings;
    const unsigned closing = mask_of(folded, '}') & ~strings;
    for (unsigned rest = opening | closing; rest != 0; rest &= rest - 1) {
      const int place = std::countr_zero(rest);
      depth += (opening >> place & 1U) != 0 ? 1 : -1;
      if (depth > 0) continue;
      at_ += place + 1;
      return;
    }
    if (turns) within ^= 0xffffU;
    at_ += 16;
  }
  if (within != 0) {
    --at_;
    bool escaped = false;
    take_string(escaped);
  }
#endif
  while (!skip_to_string(depth)) {
    bool escaped = false;
    take_string(escaped);
  }
}

// True if the value that is `depth` deep has ended, or the text has.
bool JsonScan::skip_to_string(int& depth) {
  while (at_ != end_) {
    if (*at_ == '"') return false;
    const char c = *at_++;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth <= 0) return true;
  }
  return true;
}

std::size_t unescape_json(std::string_view text, char* to) {
  const char* const begin = to;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t plain = std::min(text.find('\\', at), text.size()) - at;
    std::memcpy(to, text.data() + at, plain);
    to += plain;
    at += plain + 2;
    if (at > text.size()) break;
    constexpr std::string_view from = "\"\\/bfnrt", is = "\"\\/\b\f\n\r\t";
    const std::size_t known = from.find(text[at - 1]);
    if (known != std::string_view::npos) {
      *to++ = is[known];
      continue;
    }
    // Control characters, as our own writer has them; the rest is the reader's affair.
    if (text.substr(at - 1, 3) != "u00" || text.size() < at + 4) return kNotUnescaped;
    const char high = text[at + 2], low = text[at + 3];
    const bool digit = low >= '0' && low <= '9';
    if (high < '0' || high > '7' || (!digit && (low < 'a' || low > 'f'))) return kNotUnescaped;
    *to++ = static_cast<char>((high - '0') << 4 | (digit ? low - '0' : low - 'a' + 10));
    at += 4;
  }
  return static_cast<std::size_t>(to - begin);
}

}  // namespace keelson::codec
