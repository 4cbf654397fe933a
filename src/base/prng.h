// Prng: the only source of chance in the core; xoshiro256** seeded by splitmix64. The same seed
// gives the same numbers on every machine, which std distributions do not promise.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace keelson {

class Prng {
 public:
  explicit Prng(std::uint64_t seed);
  std::uint64_t next();
  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1) with 53 bits.
  double unit();
  // `length` characters from Kubernetes' name alphabet (no vowels, no 0, 1, 3), as in generated
  // names.
  std::string name_suffix(std::size_t length);
  // A version 4 UUID.
  std::string uuid();

 private:
  std::array<std::uint64_t, 4> state_;
};

// FNV-1a, 64 bits: for state hashes and stable spreading, not for security.
std::uint64_t hash64(std::string_view bytes, std::uint64_t start = 0xcbf29ce484222325ULL);
// FNV-1a, 32 bits (Kubernetes' pod-template hash is FNV over its own dump; ours is over canonical
// JSON).
std::uint32_t hash32(std::string_view bytes);
// Kubernetes' rand.SafeEncodeString: each byte mapped into the name alphabet.
std::string safe_encode(std::string_view text);

}  // namespace keelson
