// Signed tokens (JWT in the compact form, RFC 7515) and JSON Web Keys that verify their signatures:
// RSA and elliptic curves (RFC 7517, 7518).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "codec/value.h"

struct evp_pkey_st;

namespace keelson::api {

// A token taken apart; nothing of it is verified.
struct SignedToken {
  codec::Value head, claims;
  std::string_view text;  // what is signed; of the token, which must outlive this
  std::string signature;
  static std::optional<SignedToken> parse(std::string_view token);
};

class Jwk {
 public:
  // nullopt if it is no public key of a kind known here, or not meant for signatures.
  static std::optional<Jwk> parse(const codec::Value& key);
  const std::string& id() const { return id_; }
  // `method` as in a token's head: RS256..512, PS256..512, ES256..512.
  bool verifies(std::string_view method, std::string_view text, std::string_view signature) const;

 private:
  std::string id_;
  std::size_t half_ = 0;  // bytes of a number of the curve; 0 for RSA
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace keelson::api
