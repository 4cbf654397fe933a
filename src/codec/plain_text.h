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

// The high bits of the bytes that are not plain, or stand behind such a byte; 0: all are plain.
template <Plain plain>
constexpr std::uint64_t not_plain(std::uint64_t word) {
  constexpr std::uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
  const auto below = [](std::uint64_t w, std::uint64_t least) {
    return (w - ones * least) & ~w & highs;
  };
  const std::uint64_t found =
      below(word ^ ones * '"', 1) | below(word ^ ones * '\\', 1) | below(word, 0x20);
  return plain == Plain::ascii ? found | (word & highs) : found;
}

// The number of plain bytes at the start.
template <Plain plain>
std::size_t plain_length(std::string_view text) {
  std::size_t at = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::uint64_t word = 0;
    for (; at + 8 <= text.size(); at += 8) {
      std::memcpy(&word, text.data() + at, 8);
      if (const std::uint64_t found = not_plain<plain>(word); found != 0)
        return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    }
    // What is left, together with bytes that have been looked at.
    if (text.size() >= 8) {
      std::memcpy(&word, text.data() + text.size() - 8, 8);
      if (not_plain<plain>(word) == 0) return text.size();
    } else if (text.size() >= 4) {
      std::uint32_t first = 0, last = 0;
      std::memcpy(&first, text.data(), 4);
      std::memcpy(&last, text.data() + text.size() - 4, 4);
      if (not_plain<plain>(first | std::uint64_t{last} << 32) == 0) return text.size();
    }
  }
  while (at < text.size() && is_plain(text[at], plain)) ++at;
  return at;
}

}  // namespace keelson::codec
