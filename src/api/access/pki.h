// The engine's own public-key infrastructure: one CA, the API's serving certificate, the
// administrator's client certificate and the key that signs service-account tokens. All ECDSA
// P-256, so that making everything takes a few milliseconds. Kept as PEM files in the data
// directory; what is there is used again, what is missing, expires soon or names other addresses is
// made anew. The CA and the token key are never replaced.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "host/files.h"

namespace keelson::api {

struct KeyPair {
  std::string certificate_pem;
  std::string key_pem;
};

inline constexpr std::string_view kFrontProxyName = "front-proxy-client";

struct Pki {
  KeyPair ca, serving, admin;
  // How this server shows itself to API servers that extend it: an authority of its own, so that no
  // certificate of another purpose lets anyone speak for others.
  KeyPair proxy_ca, proxy_client;
  std::string token_key_pem;  // private; its public half verifies
};

struct PkiOptions {
  std::string directory;               // made if absent
  std::vector<std::string> dns_names;  // of the serving certificate, besides the usual ones
  std::vector<std::string> addresses;  // likewise, numeric
};

// Error: internal_error when the directory cannot be written or holds a malformed file, which it
// names.
Result<Pki> open_pki(host::Files& files, const PkiOptions& options, Instant now);

struct CertificateOrder {
  std::string common_name;
  std::vector<std::string> organizations = {};
  std::vector<std::string> dns_names = {};
  std::vector<std::string> addresses = {};
  bool server = false, client = false;  // extended key usage
  Duration lifetime = Duration::hours(365 * 24);
};
// A new key with a certificate of this CA; certificate_pem holds the leaf only.
Result<KeyPair> issue_certificate(const KeyPair& ca, const CertificateOrder& order, Instant now);

// For a certificate: positive, of full length.
std::array<unsigned char, 16> random_serial();

// A kubeconfig with one cluster, user and context, all of that name, credentials inside.
std::string kubeconfig_text(const Pki& pki, std::string_view context, std::string_view server);

}  // namespace keelson::api
