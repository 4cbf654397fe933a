// Strict and lenient readings of addresses side by side: Kubernetes refuses what it once took, and
// tells the two apart in its messages.
#include "model/validation/addresses.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/text.h"

namespace keelson::model {

namespace {

bool is_ipv4_dotted(std::string_view text, bool leading_zeros) {
  int parts = 0;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    if (part.empty() || (part.size() > 3 && !leading_zeros)) return false;
    int n = 0;
    for (const char c : part) {
      if (c < '0' || c > '9') return false;
      n = std::min(n * 10 + (c - '0'), 1000);
    }
    if (n > 255 || (part.size() > 1 && part[0] == '0' && !leading_zeros)) return false;
    ++parts;
    if (dot == std::string_view::npos) return parts == 4;
    text.remove_prefix(dot + 1);
  }
}

}  // namespace

bool is_ipv4(std::string_view text) {
  return is_ipv4_dotted(text, false);
}

namespace {
bool is_ipv6(std::string_view text) {
  if (text.find(':') == std::string_view::npos) return false;
  int groups = 0;
  bool gap = false;
  if (text.substr(0, 2) == "::") {
    gap = true;
    text.remove_prefix(2);
    if (text.empty()) return true;
  } else if (text.front() == ':') {
    return false;
  }
  while (true) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos)
      return is_ipv4(group) && (gap ? groups + 2 < 8 : groups + 2 == 8);
    if (group.empty() || group.size() > 4) return false;
    for (const char c : group)
      if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
        return false;
    ++groups;
    if (colon == std::string_view::npos) return gap ? groups < 8 : groups == 8;
    text.remove_prefix(colon + 1);
    if (!text.empty() && text.front() == ':') {
      if (gap) return false;
      gap = true;
      text.remove_prefix(1);
      if (text.empty()) return groups < 8;
    } else if (text.empty()) {
      return false;
    }
  }
}
}  // namespace

bool is_ip(std::string_view text) {
  return is_ipv4(text) || is_ipv6(text);
}

bool is_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view address = text.substr(0, slash), length = text.substr(slash + 1);
  if (!is_ip(address) || length.empty() || length.size() > 3 || length[0] == '+' ||
      length[0] == '-')
    return false;
  if (length.size() > 1 && length[0] == '0') return false;
  const auto bits = parse_int(length);
  return bits && *bits >= 0 && *bits <= (is_ipv4(address) ? 32 : 128);
}

namespace {
// ::ffff:a.b.c.d
bool is_mapped(std::string_view text) {
  const std::string lower = to_lower(text);
  const std::size_t last = lower.rfind(':');
  if (last == std::string::npos || !is_ipv6(text)) return false;
  if (lower.find('.') == std::string::npos)
    return lower.substr(0, 7) == "::ffff:" && split(lower, ':').size() == 5;
  const std::string head = lower.substr(0, last);
  return head == "::ffff" || head == "0:0:0:0:0:ffff";
}
}  // namespace

void check_ip(const Path& path, std::string_view text, FieldErrors& errors) {
  if (is_mapped(text))
    errors.invalid(path, text, "must not be an IPv4-mapped IPv6 address");
  else if (!is_ip(text) && is_ipv4_dotted(text, true))
    errors.invalid(path, text, "must not have leading 0s");
  else if (!is_ip(text))
    errors.invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

std::vector<std::uint16_t> ip_groups(std::string_view text) {
  std::vector<std::uint16_t> head, tail;
  if (is_ipv4_dotted(text, true)) {
    const std::vector<std::string> parts = split(text, '.');
    for (std::size_t i = 0; i < 4; i += 2)
      head.push_back(static_cast<std::uint16_t>(parse_int(parts[i]).value_or(0) * 256 +
                                                parse_int(parts[i + 1]).value_or(0)));
    return head;
  }
  if (!is_ipv6(text)) return {};
  std::string full(text);
  if (const std::size_t dot = full.find('.'); dot != std::string::npos) {
    const std::size_t colon = full.rfind(':');
    const auto low = ip_groups(std::string_view(full).substr(colon + 1));
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "%x:%x", low[0], low[1]);
    full = full.substr(0, colon + 1) + buffer;
  }
  const std::size_t gap = full.find("::");
  const auto read = [](const std::string& part, std::vector<std::uint16_t>& out) {
    if (part.empty()) return;
    for (const std::string& group : split(part, ':'))
      out.push_back(static_cast<std::uint16_t>(std::stoul(group, nullptr, 16)));
  };
  if (gap == std::string::npos) {
    read(full, head);
    return head;
  }
  read(full.substr(0, gap), head);
  read(full.substr(gap + 2), tail);
  head.resize(8 - tail.size(), 0);
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

namespace {
bool is_masked(std::string_view cidr) {
  const std::size_t slash = cidr.find('/');
  const auto groups = ip_groups(cidr.substr(0, slash));
  const auto bits = static_cast<std::size_t>(parse_int(cidr.substr(slash + 1)).value_or(0));
  for (std::size_t b = bits; b < groups.size() * 16; ++b)
    if ((groups[b / 16] >> (15 - b % 16) & 1) != 0) return false;
  return true;
}
}  // namespace

void check_cidr(const Path& path, std::string_view text, FieldErrors& errors) {
  const std::size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  if (is_cidr(text)) {
    if (is_mapped(address))
      errors.invalid(path, text, "must not have an IPv4-mapped IPv6 address");
    else if (!is_masked(text))
      errors.invalid(path, text, "must not have bits set beyond the prefix length");
    return;
  }
  const auto bits =
      slash == std::string_view::npos ? std::nullopt : parse_int(text.substr(slash + 1));
  const bool digits = bits && text[slash + 1] >= '0' && text[slash + 1] <= '9';
  const bool sloppy =
      digits && (is_ipv6(address) ? *bits <= 128 : is_ipv4_dotted(address, true) && *bits <= 32);
  if (sloppy)
    errors.invalid(path, text, "must not have leading 0s in IP or prefix length");
  else
    errors.invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
}

namespace {

// As RFC 5952 wants it.
std::string ipv6_text(const std::vector<std::uint16_t>& groups) {
  std::size_t gap = 8, gap_size = 1;  // the first longest run of zeros, if of two or more
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t n = 0;
    while (i + n < 8 && groups[i + n] == 0) ++n;
    if (n > gap_size) {
      gap = i;
      gap_size = n;
    }
  }
  std::string out;
  char group[8];
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == gap) {
      out += "::";
      i += gap_size - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    std::snprintf(group, sizeof group, "%x", static_cast<unsigned>(groups[i]));
    out += group;
  }
  return out;
}

// The address as Go writes it; text as it is if it is no IPv6 address.
std::string canonical_ip(std::string_view text) {
  const auto groups = ip_groups(text);
  return groups.size() == 8 ? ipv6_text(groups) : std::string(text);
}

void check_canonical(const Path& path, std::string_view text, const std::string& canonical,
                     FieldErrors& errors) {
  if (text != canonical)
    errors.invalid(path, text, "must be in canonical form (\"" + canonical + "\")");
}

}  // namespace

void check_canonical_ip(const Path& path, std::string_view text, FieldErrors& errors) {
  const std::size_t before = errors.size();
  check_ip(path, text, errors);
  if (errors.size() == before) check_canonical(path, text, canonical_ip(text), errors);
}

void check_canonical_cidr(const Path& path, std::string_view text, FieldErrors& errors) {
  const std::size_t before = errors.size();
  check_cidr(path, text, errors);
  const std::size_t slash = text.find('/');
  if (errors.size() == before)
    check_canonical(path, text,
                    canonical_ip(text.substr(0, slash)) + std::string(text.substr(slash)), errors);
}

// --- warnings ---

namespace {

// As net.IP prints it: an IPv4-mapped address in four parts, without leading zeros.
std::string go_ip(std::vector<std::uint16_t> groups) {
  if (groups.size() == 8 && groups[5] == 0xffff &&
      (groups[0] | groups[1] | groups[2] | groups[3] | groups[4]) == 0)
    groups.erase(groups.begin(), groups.begin() + 6);
  if (groups.size() != 2) return ipv6_text(groups);
  std::string out;
  for (const std::uint16_t group : groups)
    for (const int byte : {group >> 8, group & 255})
      out += (out.empty() ? "" : ".") + std::to_string(byte);
  return out;
}

struct Range {
  std::vector<std::uint16_t> groups, masked;  // both empty if the text is no range
  std::size_t bits = 0;
};

Range sloppy_range(std::string_view text) {
  Range range;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return range;
  const auto bits = parse_int(text.substr(slash + 1));
  range.groups = ip_groups(text.substr(0, slash));
  if (!bits || *bits < 0 || static_cast<std::size_t>(*bits) > range.groups.size() * 16) return {};
  range.bits = static_cast<std::size_t>(*bits);
  range.masked = range.groups;
  for (std::size_t b = range.bits; b < range.masked.size() * 16; ++b)
    range.masked[b / 16] =
        static_cast<std::uint16_t>(range.masked[b / 16] & ~(1U << (15 - b % 16)));
  return range;
}

}  // namespace

void warn_of_ip(const Path& path, std::string_view text, std::vector<std::string>& warnings) {
  const auto groups = ip_groups(text);
  if (groups.empty()) return;
  if (!is_ip(text) || is_mapped(text))
    warnings.push_back(path.text() + ": non-standard IP address " + quote(text) +
                       " is invalid: use " + quote(go_ip(groups)));
  else if (const std::string canonical = canonical_ip(text); canonical != text)
    warnings.push_back(path.text() + ": IPv6 address " + quote(text) +
                       " should be in RFC 5952 canonical format (" + quote(canonical) + ")");
}

void warn_of_cidr(const Path& path, std::string_view text, std::vector<std::string>& warnings) {
  const Range range = sloppy_range(text);
  if (range.groups.empty()) return;
  const std::size_t before = warnings.size();
  const std::string network = go_ip(range.masked) + "/" + std::to_string(range.bits);
  if (range.groups != range.masked)
    warnings.push_back(path.text() + ": CIDR value " + quote(text) +
                       " is ambiguous in this context (should be " + quote(network) + " or " +
                       quote(go_ip(range.groups) + "/" + std::to_string(range.groups.size() * 16)) +
                       "?)");
  const std::string_view address = text.substr(0, text.find('/'));
  if (!is_cidr(text) || is_mapped(address))
    warnings.push_back(path.text() + ": non-standard CIDR value " + quote(text) +
                       " is invalid: use " + quote(network));
  if (warnings.size() != before) return;
  const std::string canonical = canonical_ip(address) + "/" + std::to_string(range.bits);
  if (canonical != text)
    warnings.push_back(path.text() + ": IPv6 CIDR value " + quote(text) +
                       " should be in RFC 5952 canonical format (" + quote(canonical) + ")");
}

}  // namespace keelson::model
