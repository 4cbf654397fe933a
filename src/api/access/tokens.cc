// JWS wants a signature as two 32-byte numbers (RFC 7518), OpenSSL speaks DER. The way back, and
// all verifying: jwk.h.
#include "api/access/tokens.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>

#include "api/access/jwk.h"
#include "base/check.h"
#include "base/text.h"
#include "codec/json.h"

namespace keelson::api {
namespace {

using codec::Value;
constexpr std::size_t kHalf = 32;

std::string to_raw(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  KEELSON_CHECK(signature != nullptr);
  std::string raw(2 * kHalf, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, kHalf);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + kHalf, kHalf);
  ECDSA_SIG_free(signature);
  return raw;
}

std::string number_of(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  KEELSON_CHECK(EVP_PKEY_get_bn_param(key, name, &number) == 1);
  std::string bytes(kHalf, '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), kHalf);
  BN_free(number);
  return to_base64url(bytes);
}

}  // namespace

struct TokenSigner::Key {
  EVP_PKEY* key = nullptr;
  std::optional<Jwk> published;
  ~Key() { EVP_PKEY_free(key); }
};

Result<std::unique_ptr<TokenSigner>> TokenSigner::make(const std::string& key_pem,
                                                       std::string issuer) {
  BIO* bio = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
  auto key = std::make_unique<Key>();
  key->key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  std::array<char, 64> group{};
  std::size_t length = 0;
  if (key->key == nullptr ||
      EVP_PKEY_get_group_name(key->key, group.data(), group.size(), &length) != 1 ||
      std::string_view(group.data()) != "prime256v1")
    return Error{Reason::bad_request, "token key: no ECDSA P-256 private key"};
  return std::unique_ptr<TokenSigner>(new TokenSigner(std::move(key), std::move(issuer)));
}

TokenSigner::TokenSigner(std::unique_ptr<Key> key, std::string issuer)
    : key_(std::move(key)), issuer_(std::move(issuer)) {
  // As the original names its keys: the hash of the public key's DER form.
  unsigned char* der = nullptr;
  const int length = i2d_PUBKEY(key_->key, &der);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(der, static_cast<std::size_t>(length), digest.data(), &size, EVP_sha256(), nullptr);
  OPENSSL_free(der);
  key_id_ = to_base64url({reinterpret_cast<char*>(digest.data()), size});
  key_->published = Jwk::parse(key_set()["keys"][0]);
  KEELSON_CHECK(key_->published);
}

TokenSigner::~TokenSigner() = default;

std::string TokenSigner::sign(const Value& claims) const {
  const Value head = Value::object({{"alg", "ES256"}, {"kid", key_id_}});
  std::string text =
      to_base64url(codec::to_json(head)) + "." + to_base64url(codec::to_json(claims));
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::array<unsigned char, 128> der{};
  std::size_t length = der.size();
  const bool ok =
      EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_->key) == 1 &&
      EVP_DigestSign(context, der.data(), &length,
                     reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  EVP_MD_CTX_free(context);
  KEELSON_CHECK(ok);
  return text + "." + to_base64url(to_raw({reinterpret_cast<char*>(der.data()), length}));
}

std::optional<Value> TokenSigner::verify(std::string_view token) const {
  auto parsed = SignedToken::parse(token);
  if (!parsed ||
      !key_->published->verifies(parsed->head["alg"].as_string(), parsed->text, parsed->signature))
    return std::nullopt;
  return std::move(parsed->claims);
}

Value TokenSigner::key_set() const {
  const Value key = Value::object({{"use", "sig"},
                                   {"kty", "EC"},
                                   {"kid", key_id_},
                                   {"crv", "P-256"},
                                   {"alg", "ES256"},
                                   {"x", number_of(key_->key, OSSL_PKEY_PARAM_EC_PUB_X)},
                                   {"y", number_of(key_->key, OSSL_PKEY_PARAM_EC_PUB_Y)}});
  return Value::object({{"keys", Value::array({key})}});
}

Value TokenSigner::configuration(std::string_view key_set_address) const {
  return Value::object({{"issuer", issuer_},
                        {"jwks_uri", key_set_address},
                        {"response_types_supported", Value::array({"id_token"})},
                        {"subject_types_supported", Value::array({"public"})},
                        {"id_token_signing_alg_values_supported", Value::array({"ES256"})}});
}

}  // namespace keelson::api
