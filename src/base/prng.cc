#include "base/prng.h"

#include <cstdio>

#include "base/check.h"

namespace keelson {
namespace {
constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
std::uint64_t rotate(std::uint64_t x, int k) {
  return (x << k) | (x >> (64 - k));
}
}  // namespace

Prng::Prng(std::uint64_t seed) : state_() {
  for (std::uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    word = z ^ (z >> 31);
  }
}

std::uint64_t Prng::next() {
  const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = rotate(state_[3], 45);
  return result;
}

std::uint64_t Prng::below(std::uint64_t bound) {
  KEELSON_CHECK(bound > 0);
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t x = next();
  while (x >= limit) x = next();
  return x % bound;
}

double Prng::unit() {
  return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

std::string Prng::name_suffix(std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += kAlphabet[below(kAlphabet.size())];
  return text;
}

std::string Prng::uuid() {
  const std::uint64_t a = next(), b = next();
  std::array<char, 40> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%08x-%04x-%04x-%04x-%012llx",
                static_cast<unsigned>(a >> 32), static_cast<unsigned>(a >> 16 & 0xffff),
                static_cast<unsigned>((a & 0x0fff) | 0x4000),
                static_cast<unsigned>((b >> 48 & 0x3fff) | 0x8000),
                static_cast<unsigned long long>(b & 0xffff'ffff'ffffULL));
  return buffer.data();
}

std::uint64_t hash64(std::string_view bytes, std::uint64_t start) {
  std::uint64_t h = start;
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return h;
}

std::uint32_t hash32(std::string_view bytes) {
  std::uint32_t h = 2166136261U;
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
  return h;
}

std::string safe_encode(std::string_view text) {
  std::string encoded(text);
  for (char& c : encoded) c = kAlphabet[static_cast<unsigned char>(c) % kAlphabet.size()];
  return encoded;
}

}  // namespace keelson
