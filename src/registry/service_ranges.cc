#include "registry/service_ranges.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "model/meta.h"

namespace keelson::registry {

using codec::Value;

namespace {

constexpr std::string_view kOwn = "kubernetes";

// Without a condition it counts as ready: there may be no controller that would say so.
bool is_usable(const Value& range) {
  return !model::is_deleting(range) &&
         model::condition_of(range, "Ready")["status"].as_string("True") == "True";
}

}  // namespace

std::optional<std::uint32_t> parse_address(std::string_view text) {
  const std::vector<std::string> parts = split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  std::uint32_t out = 0;
  for (const std::string& part : parts) {
    const auto number = parse_int(part);
    if (!number || *number < 0 || *number > 255) return std::nullopt;
    out = out << 8 | static_cast<std::uint32_t>(*number);
  }
  return out;
}

std::string to_address(std::uint32_t n) {
  return std::to_string(n >> 24) + "." + std::to_string(n >> 16 & 255) + "." +
         std::to_string(n >> 8 & 255) + "." + std::to_string(n & 255);
}

std::optional<ServiceRanges::Range> ServiceRanges::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto base = parse_address(text.substr(0, slash));
  const auto bits = parse_int(text.substr(slash + 1));
  if (!base || !bits || *bits < 8 || *bits > 32) return std::nullopt;
  const std::uint32_t size = 1u << (32 - *bits);
  return Range{*base & ~(size - 1), size};
}

// Neither the network's own address nor the last one is handed out, where there are more.
bool ServiceRanges::Range::contains(std::uint32_t address) const {
  if (address < base || address - base >= size) return false;
  return size <= 2 || (address != base && address - base != size - 1);
}

std::string ServiceRanges::Range::choose(
    Prng& rng, const std::function<bool(const std::string&)>& taken) const {
  const auto scan = [&](std::uint32_t first, std::uint32_t count) -> std::string {
    if (count == 0) return {};
    const std::uint32_t start = static_cast<std::uint32_t>(rng.below(count));
    for (std::uint32_t i = 0; i < count; ++i) {
      std::string address = to_address(base + first + (start + i) % count);
      if (!taken(address)) return address;
    }
    return {};
  };
  if (size <= 2) return scan(0, size);
  const std::uint32_t usable = size - 2;  // from 1 on
  const std::uint32_t offset = std::min(std::max(16u, size / 16), 256u);
  if (offset > usable) return scan(1, usable);
  std::string address = scan(offset, size - 1 - offset);
  return address.empty() ? scan(1, offset - 1) : address;
}

ServiceRanges::ServiceRanges(std::string_view own) : own_text_(own) {
  const auto range = parse(own);
  KEELSON_CHECK(range && range->size >= 4);
  own_ = *range;
}

void ServiceRanges::observe(const Value& before, const Value& after) {
  const std::string name(model::name_of(after.is_null() ? before : after));
  const bool usable = !after.is_null() && is_usable(after);
  if (name == kOwn) {
    // Its object may be gone for a moment; the server still has the range.
    own_usable_ = after.is_null() || usable;
    return;
  }
  others_.erase(name);
  if (!usable) return;
  for (const Value& one : after["spec"]["cidrs"].elements())
    if (const auto range = parse(one.as_string())) others_[name].push_back(*range);
}

bool ServiceRanges::contains(std::string_view address) const {
  const auto number = parse_address(address);
  if (!number) return false;
  if (own_usable_ && own_.contains(*number)) return true;
  return std::any_of(others_.begin(), others_.end(), [&](const auto& one) {
    return std::any_of(one.second.begin(), one.second.end(),
                       [&](const Range& range) { return range.contains(*number); });
  });
}

std::string ServiceRanges::choose(Prng& rng,
                                  const std::function<bool(const std::string&)>& taken) const {
  std::string address = own_usable_ ? own_.choose(rng, taken) : std::string();
  for (const auto& [name, ranges] : others_)
    for (const Range& range : ranges)
      if (address.empty()) address = range.choose(rng, taken);
  return address;
}

}  // namespace keelson::registry
