// PKCS #10 requests for certificates: what they ask for, and signing them with the engine's CA. PEM
// in, PEM out; the request's own signature must hold.
#pragma once

#include <string>
#include <vector>

#include "api/access/pki.h"
#include "base/result.h"
#include "base/time.h"

namespace keelson::api {

struct RequestedCertificate {
  std::string common_name;
  std::vector<std::string> organizations;
  bool dns_names = false, addresses = false, emails = false, uris = false;  // any of them
};
Result<RequestedCertificate> read_certificate_request(const std::string& pem);

// Subject and alternative names are the request's; `usages` in the words of the Kubernetes API
// ("client auth"). Valid from five minutes ago, never longer than the CA.
Result<std::string> sign_certificate_request(const KeyPair& ca, const std::string& pem,
                                             const std::vector<std::string>& usages,
                                             Duration lifetime, Instant now);

// The end of a certificate; the zero Instant if it is none.
Instant certificate_expiry(const std::string& pem);

}  // namespace keelson::api
