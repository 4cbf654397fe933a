// Certificates, keys and signing requests as texts: what crypto/tls and crypto/x509 of Go say of
// them. Only what the API server checks; nothing here issues or trusts anything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keelson::model {

struct PemBlock {
  std::string type;  // "CERTIFICATE"
  std::string bytes;
};
// The blocks of a text in order; what is none is skipped, as encoding/pem does.
std::vector<PemBlock> pem_blocks(std::string_view text);

// What tls.X509KeyPair says of a certificate (chain) and its key; empty: they belong together.
std::string key_pair_problem(std::string_view certificates, std::string_view key);

}  // namespace keelson::model
