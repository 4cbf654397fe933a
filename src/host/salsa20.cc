// Specification: D. J. Bernstein, "Salsa20 specification" and "Extending the Salsa20 nonce".
#include "host/salsa20.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <bit>
#include <cstdint>

#include "base/check.h"

namespace keelson::host {
namespace {

using Words = std::array<std::uint32_t, 16>;
constexpr std::size_t kBlock = 64, kTag = 16;

std::uint32_t load(std::string_view bytes, std::size_t word) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[4 * word + i])) << (8 * i);
  return value;
}

void store(std::string& out, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i));
}

Words initial(std::string_view key, std::string_view middle) {
  constexpr std::string_view kSigma = "expand 32-byte k";
  Words x{};
  for (std::size_t i = 0; i < 4; ++i) {
    x[5 * i] = load(kSigma, i);
    x[1 + i] = load(key, i);
    x[6 + i] = load(middle, i);
    x[11 + i] = load(key, 4 + i);
  }
  return x;
}

void quarter(Words& x, std::size_t a, std::size_t b, std::size_t c, std::size_t d) {
  x[b] ^= std::rotl(x[a] + x[d], 7);
  x[c] ^= std::rotl(x[b] + x[a], 9);
  x[d] ^= std::rotl(x[c] + x[b], 13);
  x[a] ^= std::rotl(x[d] + x[c], 18);
}

void twenty_rounds(Words& x) {
  for (int i = 0; i < 10; ++i) {
    quarter(x, 0, 4, 8, 12);
    quarter(x, 5, 9, 13, 1);
    quarter(x, 10, 14, 2, 6);
    quarter(x, 15, 3, 7, 11);
    quarter(x, 0, 1, 2, 3);
    quarter(x, 5, 6, 7, 4);
    quarter(x, 10, 11, 8, 9);
    quarter(x, 15, 12, 13, 14);
  }
}

std::string derived_key(std::string_view key, std::string_view nonce) {
  Words x = initial(key, nonce.substr(0, 16));
  twenty_rounds(x);
  std::string out;
  for (const std::size_t i : {0, 5, 10, 15, 6, 7, 8, 9}) store(out, x[i]);
  return out;
}

// The key stream of `size` bytes.
std::string stream(std::string_view key, std::string_view nonce, std::size_t size) {
  const std::string own = derived_key(key, nonce);
  std::string out;
  out.reserve(size + kBlock);
  for (std::uint64_t counter = 0; out.size() < size; ++counter) {
    std::string middle(nonce.substr(16, 8));
    store(middle, static_cast<std::uint32_t>(counter));
    store(middle, static_cast<std::uint32_t>(counter >> 32));
    const Words start = initial(own, middle);
    Words x = start;
    twenty_rounds(x);
    for (std::size_t i = 0; i < x.size(); ++i) store(out, x[i] + start[i]);
  }
  out.resize(size);
  return out;
}

std::string poly1305(std::string_view key, std::string_view message) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "POLY1305", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  std::string tag(kTag, '\0');
  std::size_t size = 0;
  const bool ok =
      EVP_MAC_init(context, reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                   nullptr) == 1 &&
      EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(message.data()),
                     message.size()) == 1 &&
      EVP_MAC_final(context, reinterpret_cast<unsigned char*>(tag.data()), &size, tag.size()) == 1;
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  KEELSON_CHECK(ok && size == kTag);
  return tag;
}

}  // namespace

std::string secretbox_seal(std::string_view key, std::string_view nonce, std::string_view message) {
  const std::string pad = stream(key, nonce, 32 + message.size());
  std::string text(message);
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(text[i] ^ pad[32 + i]);
  return poly1305(std::string_view(pad).substr(0, 32), text) + text;
}

std::optional<std::string> secretbox_open(std::string_view key, std::string_view nonce,
                                          std::string_view box) {
  if (box.size() < kTag) return std::nullopt;
  std::string text(box.substr(kTag));
  const std::string pad = stream(key, nonce, 32 + text.size());
  const std::string tag = poly1305(std::string_view(pad).substr(0, 32), text);
  if (CRYPTO_memcmp(tag.data(), box.data(), kTag) != 0) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(text[i] ^ pad[32 + i]);
  return text;
}

}  // namespace keelson::host
