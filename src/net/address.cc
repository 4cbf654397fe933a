#include "net/address.h"

#include <vector>

#include "base/text.h"

namespace keelson::net {

std::optional<std::uint32_t> parse_address(std::string_view text) {
  const std::vector<std::string> parts = split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  std::uint32_t address = 0;
  for (const std::string& part : parts) {
    const auto number = parse_int(part);
    if (!number || *number < 0 || *number > 255 || part.size() > 3 || part[0] == '+')
      return std::nullopt;
    address = address << 8 | static_cast<std::uint32_t>(*number);
  }
  return address;
}

std::string address_text(std::uint32_t address) {
  return std::to_string(address >> 24) + "." + std::to_string(address >> 16 & 255) + "." +
         std::to_string(address >> 8 & 255) + "." + std::to_string(address & 255);
}

std::optional<Prefix> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_address(text.substr(0, slash));
  const auto length = parse_int(text.substr(slash + 1));
  if (!address || !length || *length < 0 || *length > 32) return std::nullopt;
  return Prefix{*address & mask_of(static_cast<int>(*length)), static_cast<int>(*length)};
}

std::string prefix_text(Prefix prefix) {
  return address_text(prefix.address) + "/" + std::to_string(prefix.length);
}

}  // namespace keelson::net
