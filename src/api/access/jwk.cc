#include "api/access/jwk.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base/text.h"
#include "codec/json.h"

namespace keelson::api {
namespace {

using codec::Value;

BIGNUM* number(std::string_view bytes) {
  return BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                   static_cast<int>(bytes.size()), nullptr);
}

std::shared_ptr<EVP_PKEY> built(const char* type, OSSL_PARAM_BLD* build) {
  OSSL_PARAM* parameters = OSSL_PARAM_BLD_to_param(build);
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr);
  EVP_PKEY* key = nullptr;
  const bool ok = parameters != nullptr && EVP_PKEY_fromdata_init(context) == 1 &&
                  EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(build);
  return ok ? std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free) : nullptr;
}

std::shared_ptr<EVP_PKEY> rsa_key(const Value& given) {
  const auto modulus = from_base64url(given["n"].as_string());
  const auto exponent = from_base64url(given["e"].as_string());
  if (!modulus || !exponent || modulus->size() < 256) return nullptr;
  BIGNUM *n = number(*modulus), *e = number(*exponent);
  OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
  OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
  auto key = built("RSA", build);
  BN_free(n);
  BN_free(e);
  return key;
}

struct Curve {
  std::string_view name;
  const char* group;
  std::size_t half;
};
constexpr Curve kCurves[] = {
    {"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};

std::shared_ptr<EVP_PKEY> curve_key(const Value& given, std::size_t& half) {
  const auto x = from_base64url(given["x"].as_string());
  const auto y = from_base64url(given["y"].as_string());
  for (const Curve& curve : kCurves) {
    if (curve.name != given["crv"].as_string() || !x || !y || x->size() > curve.half ||
        y->size() > curve.half)
      continue;
    half = curve.half;
    const auto padded = [&](const std::string& bytes) {
      return std::string(half - bytes.size(), '\0') + bytes;
    };
    const std::string point = '\x04' + padded(*x) + padded(*y);
    OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve.group, 0);
    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
    return built("EC", build);
  }
  return nullptr;
}

// JWS has the two numbers of a signature side by side, OpenSSL wants them in DER.
std::string der_of(std::string_view raw, std::size_t half) {
  ECDSA_SIG* signature = ECDSA_SIG_new();
  ECDSA_SIG_set0(signature, number(raw.substr(0, half)), number(raw.substr(half)));
  unsigned char* out = nullptr;
  const int length = i2d_ECDSA_SIG(signature, &out);
  std::string der(reinterpret_cast<char*>(out), static_cast<std::size_t>(length));
  OPENSSL_free(out);
  ECDSA_SIG_free(signature);
  return der;
}

const EVP_MD* digest_of(std::string_view method) {
  const std::string_view bits = method.substr(2);
  return bits == "256"   ? EVP_sha256()
         : bits == "384" ? EVP_sha384()
         : bits == "512" ? EVP_sha512()
                         : nullptr;
}

}  // namespace

std::optional<SignedToken> SignedToken::parse(std::string_view token) {
  const std::size_t first = token.find('.'), last = token.rfind('.');
  if (first == std::string_view::npos || last == first) return std::nullopt;
  const auto head_text = from_base64url(token.substr(0, first));
  const auto claims_text = from_base64url(token.substr(first + 1, last - first - 1));
  auto signature = from_base64url(token.substr(last + 1));
  if (!head_text || !claims_text || !signature) return std::nullopt;
  auto head = codec::parse_json(*head_text);
  auto claims = codec::parse_json(*claims_text);
  if (!head.ok() || !claims.ok()) return std::nullopt;
  return SignedToken{std::move(head).value(), std::move(claims).value(), token.substr(0, last),
                     std::move(*signature)};
}

std::optional<Jwk> Jwk::parse(const Value& given) {
  if (const std::string_view use = given["use"].as_string(); !use.empty() && use != "sig")
    return std::nullopt;
  Jwk out;
  out.id_ = given["kid"].str();
  const std::string_view type = given["kty"].as_string();
  if (type == "RSA") out.key_ = rsa_key(given);
  if (type == "EC") out.key_ = curve_key(given, out.half_);
  if (!out.key_) return std::nullopt;
  return out;
}

bool Jwk::verifies(std::string_view method, std::string_view text,
                   std::string_view signature) const {
  if (method.size() != 5) return false;
  const std::string_view family = method.substr(0, 2);
  const EVP_MD* digest = digest_of(method);
  const bool curve = family == "ES";
  if (digest == nullptr || curve != (half_ != 0) || (!curve && family != "RS" && family != "PS"))
    return false;
  // Each curve goes with one digest only.
  if (curve && (half_ == 32 ? "256" : half_ == 48 ? "384" : "512") != method.substr(2))
    return false;
  std::string sealed(signature);
  if (curve) {
    if (signature.size() != 2 * half_) return false;
    sealed = der_of(signature, half_);
  }
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* of_key = nullptr;
  bool ok = EVP_DigestVerifyInit(context, &of_key, digest, nullptr, key_.get()) == 1;
  if (ok && family == "PS")
    ok = EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(of_key, RSA_PSS_SALTLEN_DIGEST) == 1;
  ok = ok && EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(sealed.data()),
                              sealed.size(), reinterpret_cast<const unsigned char*>(text.data()),
                              text.size()) == 1;
  EVP_MD_CTX_free(context);
  return ok;
}

}  // namespace keelson::api
