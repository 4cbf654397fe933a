// See certificate_authority.h.
#include "app/certificate_authority.h"

#include "api/access/certificate_requests.h"
#include "base/text.h"

namespace keelson::app {

Result<control::CertificateClaims> EngineAuthority::read(std::string_view request) {
  TRY(const api::RequestedCertificate asked,
      api::read_certificate_request(from_base64(request).value_or("")));
  return control::CertificateClaims{.common_name = asked.common_name,
                                    .organizations = asked.organizations,
                                    .dns_names = asked.dns_names,
                                    .addresses = asked.addresses,
                                    .emails = asked.emails,
                                    .uris = asked.uris};
}

Result<std::string> EngineAuthority::sign(std::string_view request,
                                          const std::vector<std::string>& usages, Duration lifetime,
                                          Instant now) {
  TRY(const std::string pem,
      api::sign_certificate_request(ca_, from_base64(request).value_or(""), usages, lifetime, now));
  return to_base64(pem);
}

Instant EngineAuthority::expiry(std::string_view certificate) {
  return api::certificate_expiry(from_base64(certificate).value_or(""));
}

}  // namespace keelson::app
