// Signed tokens (JWT, ES256) that service accounts authenticate with, and the documents by which
// others verify them. The signature is checked here; whether the account still exists is for
// authentication to ask.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::api {

class TokenSigner {
 public:
  // Error: bad_request if the PEM is no P-256 private key.
  static Result<std::unique_ptr<TokenSigner>> make(const std::string& key_pem, std::string issuer);
  ~TokenSigner();
  TokenSigner(const TokenSigner&) = delete;
  TokenSigner& operator=(const TokenSigner&) = delete;

  std::string sign(const codec::Value& claims) const;
  // The claims of a token that this key signed; nullopt for anything else. Does not look at times.
  std::optional<codec::Value> verify(std::string_view token) const;

  const std::string& issuer() const { return issuer_; }
  codec::Value key_set() const;                                        // /openid/v1/jwks
  codec::Value configuration(std::string_view key_set_address) const;  // openid-configuration

 private:
  struct Key;
  TokenSigner(std::unique_ptr<Key> key, std::string issuer);
  std::unique_ptr<Key> key_;
  std::string issuer_, key_id_;
};

}  // namespace keelson::api
