// The engine's CA as the controllers of certificate requests see it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/access/pki.h"
#include "control/certificates/certificates.h"

namespace keelson::app {

class EngineAuthority : public control::CertificateAuthority {
 public:
  explicit EngineAuthority(api::KeyPair ca) : ca_(std::move(ca)) {}
  Result<control::CertificateClaims> read(std::string_view request) override;
  Result<std::string> sign(std::string_view request, const std::vector<std::string>& usages,
                           Duration lifetime, Instant now) override;
  Instant expiry(std::string_view certificate) override;

 private:
  api::KeyPair ca_;
};

}  // namespace keelson::app
