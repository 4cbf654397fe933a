// XSalsa20-Poly1305, the "secretbox" of NaCl, which OpenSSL lacks. Checked against NaCl's own test
// vector.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace keelson::host {

inline constexpr std::size_t kSecretboxKeySize = 32, kSecretboxNonceSize = 24;

// 16 bytes of authenticator, then the encrypted message. Key and nonce have the sizes above.
std::string secretbox_seal(std::string_view key, std::string_view nonce, std::string_view message);
// nullopt if it was not sealed with this key and nonce.
std::optional<std::string> secretbox_open(std::string_view key, std::string_view nonce,
                                          std::string_view box);

}  // namespace keelson::host
