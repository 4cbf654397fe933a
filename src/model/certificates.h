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
  bool has_headers = false;
};
// The blocks of a text in order; what is none is skipped, as encoding/pem does.
std::vector<PemBlock> pem_blocks(std::string_view text);

// What the API server says of a request to sign: one PEM block, well-formed, signed by its own key.
std::string signing_request_problem(std::string_view text);
// What it says of a certificate that a signer brings; the empty text is none yet.
std::string certificates_problem(std::string_view text);

// What tls.X509KeyPair says of a certificate (chain) and its key; empty: they belong together.
std::string key_pair_problem(std::string_view certificates, std::string_view key);

}  // namespace keelson::model
