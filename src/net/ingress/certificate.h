// What the Ingress data plane needs of a certificate authority.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace keelson::net {

struct Certificate {
  std::string certificate_pem;  // with its chain
  std::string key_pem;
};

// For these DNS names; issued now, valid for a year.
using IssueCertificate = std::function<Result<Certificate>(const std::vector<std::string>& hosts)>;

}  // namespace keelson::net
