// The ranges that cluster addresses come from: the one that the server was started with
// ("kubernetes"), and those of further ServiceCIDRs, which extend it while they are ready and not
// being deleted. IPv4 alone. Source: Kubernetes' pkg/registry/core/service/ipallocator
// (cidrallocator.go).
//
// Knows nothing of who holds an address.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "codec/value.h"

namespace keelson::registry {

class ServiceRanges {
 public:
  explicit ServiceRanges(std::string_view own);

  // Keeps in step: `before` and `after` are ServiceCIDRs or null.
  void observe(const codec::Value& before, const codec::Value& after);

  bool contains(std::string_view address) const;
  // An address that `taken` does not know, chosen as the original does: the first
  // min(max(16, size/16), 256) of a range are used last, as fixed ones are meant to come from
  // there. Empty if all are taken.
  std::string choose(Prng& rng, const std::function<bool(const std::string&)>& taken) const;
  const std::string& own() const { return own_text_; }

 private:
  struct Range {
    std::uint32_t base = 0, size = 0;
    bool contains(std::uint32_t address) const;
    std::string choose(Prng& rng, const std::function<bool(const std::string&)>& taken) const;
  };
  static std::optional<Range> parse(std::string_view text);

  std::string own_text_;
  Range own_;
  bool own_usable_ = true;
  std::map<std::string, std::vector<Range>> others_;  // usable ones, by the object's name
};

std::optional<std::uint32_t> parse_address(std::string_view text);
std::string to_address(std::uint32_t address);

}  // namespace keelson::registry
