// IPv4 addresses and prefixes as text and numbers. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/links.h"

namespace keelson::net {

using host::Prefix;

std::optional<std::uint32_t> parse_address(std::string_view text);  // "10.244.0.5"
std::string address_text(std::uint32_t address);
std::optional<Prefix> parse_prefix(std::string_view text);  // "10.244.0.0/20"
std::string prefix_text(Prefix prefix);

inline std::uint32_t mask_of(int length) {
  return length == 0 ? 0 : ~std::uint32_t{0} << (32 - length);
}
inline bool contains(Prefix prefix, std::uint32_t address) {
  return ((address ^ prefix.address) & mask_of(prefix.length)) == 0;
}
inline bool overlap(Prefix a, Prefix b) {
  return ((a.address ^ b.address) & mask_of(a.length < b.length ? a.length : b.length)) == 0;
}

}  // namespace keelson::net
