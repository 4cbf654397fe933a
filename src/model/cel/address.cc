#include "model/cel/address.h"

#include <algorithm>
#include <cstdio>

#include "base/text.h"

namespace keelson::model::cel {

namespace {

Error fault(std::string_view input, std::string_view message, std::string_view at = {}) {
  std::string text = "ParseAddr(" + quote(input) + "): " + std::string(message);
  if (!at.empty()) text += " (at " + quote(at) + ")";
  return Error{.reason = Reason::invalid, .message = text};
}

Result<std::array<std::uint8_t, 4>> parse_v4(std::string_view input, std::string_view s) {
  std::array<std::uint8_t, 4> fields = {};
  int value = 0, place = 0, digits = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] >= '0' && s[i] <= '9') {
      if (digits == 1 && value == 0) return fault(input, "IPv4 field has octet with leading zero");
      value = value * 10 + (s[i] - '0');
      ++digits;
      if (value > 255) return fault(input, "IPv4 field has value >255");
    } else if (s[i] == '.') {
      if (i == 0 || i == s.size() - 1 || s[i - 1] == '.')
        return fault(input, "IPv4 field must have at least one digit", s.substr(i));
      if (place == 3) return fault(input, "IPv4 address too long");
      fields[static_cast<std::size_t>(place++)] = static_cast<std::uint8_t>(value);
      value = digits = 0;
    } else {
      return fault(input, "unexpected character", s.substr(i));
    }
  }
  if (place < 3) return fault(input, "IPv4 address too short");
  fields[3] = static_cast<std::uint8_t>(value);
  return fields;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<Address> parse_v6(std::string_view input) {
  Address address;
  std::string_view s = input;
  if (const std::size_t percent = s.find('%'); percent != std::string_view::npos) {
    address.zone = s.substr(percent + 1);
    s = s.substr(0, percent);
    if (address.zone.empty()) return fault(input, "zone must be a non-empty string");
  }
  int ellipsis = -1;
  if (s.starts_with("::")) {
    ellipsis = 0;
    s.remove_prefix(2);
    if (s.empty()) return address;
  }
  std::size_t i = 0;
  while (i < 16) {
    std::size_t off = 0;
    unsigned value = 0;
    for (; off < s.size() && hex_digit(s[off]) >= 0; ++off) {
      value = value << 4 | static_cast<unsigned>(hex_digit(s[off]));
      if (off > 3) return fault(input, "each group must have 4 or less digits", s);
    }
    if (off == 0) return fault(input, "each colon-separated field must have at least one digit", s);
    if (off < s.size() && s[off] == '.') {
      if (ellipsis < 0 && i != 12)
        return fault(input, "embedded IPv4 address must replace the final 2 fields of the address",
                     s);
      if (i + 4 > 16)
        return fault(input, "too many hex fields to fit an embedded IPv4 at the end of the address",
                     s);
      TRY(const auto fields, parse_v4(input, s));
      for (const std::uint8_t field : fields) address.bytes[i++] = field;
      s = {};
      break;
    }
    address.bytes[i++] = static_cast<std::uint8_t>(value >> 8);
    address.bytes[i++] = static_cast<std::uint8_t>(value & 0xFF);
    s.remove_prefix(off);
    if (s.empty()) break;
    if (s[0] != ':') return fault(input, "unexpected character, want colon", s);
    if (s.size() == 1) return fault(input, "colon must be followed by more characters", s);
    s.remove_prefix(1);
    if (s[0] == ':') {
      if (ellipsis >= 0) return fault(input, "multiple :: in address", s);
      ellipsis = static_cast<int>(i);
      s.remove_prefix(1);
      if (s.empty()) break;
    }
  }
  if (!s.empty()) return fault(input, "trailing garbage after address", s);
  if (i < 16) {
    if (ellipsis < 0) return fault(input, "address string too short");
    const auto from = address.bytes.begin() + ellipsis;
    // What stands behind the ellipsis goes to the end, the zeros before it.
    std::rotate(from, address.bytes.begin() + static_cast<std::ptrdiff_t>(i), address.bytes.end());
  } else if (ellipsis >= 0) {
    return fault(input, "the :: must expand to at least one field of zeros");
  }
  return address;
}

}  // namespace

bool Address::is_v4_in_v6() const {
  if (v4) return false;
  for (std::size_t i = 0; i < 10; ++i)
    if (bytes[i] != 0) return false;
  return bytes[10] == 0xFF && bytes[11] == 0xFF;
}
bool Address::is_unspecified() const {
  return bytes == std::array<std::uint8_t, 16>{} && zone.empty();
}
bool Address::is_loopback() const {
  if (v4) return bytes[0] == 127;
  std::array<std::uint8_t, 16> one = {};
  one[15] = 1;
  return bytes == one;
}
bool Address::is_link_local_multicast() const {
  if (v4) return bytes[0] == 224 && bytes[1] == 0 && bytes[2] == 0;
  return bytes[0] == 0xFF && (bytes[1] & 0x0F) == 2;
}
bool Address::is_link_local_unicast() const {
  if (v4) return bytes[0] == 169 && bytes[1] == 254;
  return bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0x80;
}
bool Address::is_global_unicast() const {
  const bool multicast = v4 ? (bytes[0] & 0xF0) == 0xE0 : bytes[0] == 0xFF;
  const bool broadcast =
      v4 && bytes[0] == 255 && bytes[1] == 255 && bytes[2] == 255 && bytes[3] == 255;
  return !is_unspecified() && !broadcast && !is_loopback() && !multicast &&
         !is_link_local_unicast();
}

std::string Address::text() const {
  char buffer[16];
  if (v4) {
    std::snprintf(buffer, sizeof buffer, "%d.%d.%d.%d", bytes[0], bytes[1], bytes[2], bytes[3]);
    return buffer;
  }
  const auto group = [&](std::size_t i) { return bytes[2 * i] << 8 | bytes[2 * i + 1]; };
  // The longest run of zero groups, of two at least, is left out.
  std::size_t zero_begin = 8, zero_end = 8;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t end = i;
    while (end < 8 && group(end) == 0) ++end;
    if (end - i >= 2 && end - i > zero_end - zero_begin) {
      zero_begin = i;
      zero_end = end;
    }
  }
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == zero_begin && zero_begin < zero_end) {
      out += "::";
      i = zero_end;
      if (i >= 8) break;
    } else if (i > 0) {
      out += ':';
    }
    std::snprintf(buffer, sizeof buffer, "%x", group(i));
    out += buffer;
  }
  return zone.empty() ? out : out + "%" + zone;
}

bool Prefix::contains(const Address& other) const {
  if (other.v4 != address.v4) return false;
  for (int i = 0; i < length; ++i) {
    const auto byte = static_cast<std::size_t>(i / 8);
    const int mask = 0x80 >> (i % 8);
    if ((address.bytes[byte] & mask) != (other.bytes[byte] & mask)) return false;
  }
  return true;
}
bool Prefix::overlaps(const Prefix& other) const {
  return length <= other.length ? contains(other.address) : other.contains(address);
}
Prefix Prefix::masked() const {
  Prefix result = *this;
  for (int i = length; i < address.bits(); ++i)
    result.address.bytes[static_cast<std::size_t>(i / 8)] &=
        static_cast<std::uint8_t>(~(0x80 >> (i % 8)));
  return result;
}

Result<Address> parse_address(std::string_view text) {
  for (const char c : text) {
    if (c == '.') {
      TRY(const auto fields, parse_v4(text, text));
      Address address;
      address.v4 = true;
      std::copy(fields.begin(), fields.end(), address.bytes.begin());
      return address;
    }
    if (c == ':') return parse_v6(text);
    if (c == '%') return fault(text, "missing IPv6 address");
  }
  return fault(text, "unable to parse IP");
}

Result<Prefix> parse_prefix(std::string_view text) {
  const auto bad = [&](const std::string& message) {
    return Error{.reason = Reason::invalid,
                 .message = "netip.ParsePrefix(" + quote(text) + "): " + message};
  };
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return bad("no '/'");
  Result<Address> address = parse_address(text.substr(0, slash));
  if (!address.ok()) return bad(address.error().message);
  if (!address->zone.empty()) return bad("IPv6 zones cannot be present in a prefix");
  const std::string_view bits = text.substr(slash + 1);
  const bool sign = bits.size() > 1 && (bits[0] < '1' || bits[0] > '9');
  const auto length = parse_int(bits);
  if (sign || !length) return bad("bad bits after slash: " + quote(bits));
  if (*length < 0 || *length > address->bits()) return bad("prefix length out of range");
  return Prefix{*address, static_cast<int>(*length)};
}

}  // namespace keelson::model::cel
