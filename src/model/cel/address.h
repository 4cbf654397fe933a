// IP addresses and prefixes as Go's net/netip reads and prints them, with its error texts.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace keelson::model::cel {

struct Address {
  std::array<std::uint8_t, 16> bytes = {};  // of IPv4 the first four
  bool v4 = false;
  std::string zone = {};

  int bits() const { return v4 ? 32 : 128; }
  bool is_v4_in_v6() const;
  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_link_local_multicast() const;
  bool is_link_local_unicast() const;
  bool is_global_unicast() const;
  std::string text() const;
  bool operator==(const Address&) const = default;
};

struct Prefix {
  Address address;
  int length = 0;

  bool contains(const Address& other) const;
  bool overlaps(const Prefix& other) const;
  Prefix masked() const;
  std::string text() const { return address.text() + "/" + std::to_string(length); }
  bool operator==(const Prefix&) const = default;
};

Result<Address> parse_address(std::string_view text);
Result<Prefix> parse_prefix(std::string_view text);

}  // namespace keelson::model::cel
