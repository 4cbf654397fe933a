// How far a text goes on with bytes that JSON writes as they are; eight bytes at a time, since most
// of what a server reads and writes is such text.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace keelson::codec {

enum class Plain : std::uint8_t {
  escaped_out,  // all but quotes, backslashes and control characters
  ascii         // likewise, and nothing from 0x80 on
};

constexpr bool is_plain(char c, Plain plain) {
  const auto byte = static_cast<unsigned char>(c);
  return c != '"' && c != '\\' && byte >= 0x20 && (plain == Plain::escaped_out || byte < 0x80);
}

// The number of plain bytes at the start.
template <Plain plain>
std::size_t plain_length(std::string_view text) {
  constexpr std::uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
  std::size_t at = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (; at + 8 <= text.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, sizeof word);
      // The high bit of each byte that is zero, or of one behind such a byte.
      const auto zeros = [](std::uint64_t w) { return (w - ones) & ~w & highs; };
      std::uint64_t found = zeros(word ^ ones * '"') | zeros(word ^ ones * '\\') |
                            ((word - ones * 0x20) & ~word & highs);
      if (plain == Plain::ascii) found |= word & highs;
      if (found != 0) return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    }
  }
  while (at < text.size() && is_plain(text[at], plain)) ++at;
  return at;
}

}  // namespace keelson::codec
