// PEM is read here, because messages tell what was found in its stead; ASN.1 is OpenSSL's.
#include "model/certificates.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/text.h"

namespace keelson::model {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ", kEnd = "-----END ", kDashes = "-----";

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  return line;
}

// The block whose first line has been read; nullopt if it is malformed.
std::optional<PemBlock> take_block(std::string_view type, std::string_view& text) {
  std::string base64;
  bool in_headers = true, has_headers = false;
  while (!text.empty()) {
    if (text.starts_with(kBegin)) return std::nullopt;
    const std::string_view line = take_line(text);
    if (line.starts_with(kEnd)) {
      if (line != std::string(kEnd) + std::string(type) + std::string(kDashes)) return std::nullopt;
      auto bytes = from_base64(base64);
      if (!bytes) return std::nullopt;
      return PemBlock{std::string(type), std::move(*bytes), has_headers};
    }
    // RFC 1421 headers stand before the first line without a colon.
    has_headers = has_headers || (in_headers && line.find(':') != std::string_view::npos);
    in_headers = in_headers && line.find(':') != std::string_view::npos;
    if (!in_headers)
      std::copy_if(line.begin(), line.end(), std::back_inserter(base64),
                   [](char c) { return c != ' ' && c != '\t'; });
  }
  return std::nullopt;
}

struct Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_REQ* request) const { X509_REQ_free(request); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Certificate = std::unique_ptr<X509, Free>;
using Request = std::unique_ptr<X509_REQ, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

// The whole of the bytes and nothing after them.
template <typename T, typename Read>
T* read_der(const std::string& bytes, Read read) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto* end = at + bytes.size();
  T* value = read(nullptr, &at, static_cast<long>(bytes.size()));
  if (value != nullptr && at != end) {
    Free()(value);
    return nullptr;
  }
  return value;
}

std::string skipped(const std::vector<std::string>& types) {
  return "after skipping PEM blocks of the following types: [" + join(types, " ") + "]";
}

bool is_key_type(std::string_view type) {
  return type == "PRIVATE KEY" || type.ends_with(" PRIVATE KEY");
}

}  // namespace

std::vector<PemBlock> pem_blocks(std::string_view text) {
  std::vector<PemBlock> blocks;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (!line.starts_with(kBegin) || !line.ends_with(kDashes) ||
        line.size() < kBegin.size() + kDashes.size())
      continue;
    const std::string_view type =
        line.substr(kBegin.size(), line.size() - kBegin.size() - kDashes.size());
    std::string_view rest = text;
    if (auto block = take_block(type, rest)) {
      blocks.push_back(std::move(*block));
      text = rest;
    }
  }
  return blocks;
}

std::string signing_request_problem(std::string_view text) {
  const std::vector<PemBlock> blocks = pem_blocks(text);
  if (blocks.empty() || blocks.front().type != "CERTIFICATE REQUEST")
    return "PEM block type must be CERTIFICATE REQUEST";
  const Request request(read_der<X509_REQ>(blocks.front().bytes, d2i_X509_REQ));
  if (!request) return "asn1: structure error: malformed certificate request";
  const Key key(X509_REQ_get_pubkey(request.get()));
  if (key && X509_REQ_verify(request.get(), key.get()) == 1) return {};
  if (key && EVP_PKEY_base_id(key.get()) == EVP_PKEY_EC) return "x509: ECDSA verification failure";
  if (key && EVP_PKEY_base_id(key.get()) == EVP_PKEY_RSA) return "crypto/rsa: verification error";
  return "x509: cannot verify signature: algorithm unimplemented";
}

std::string certificates_problem(std::string_view text) {
  if (text.empty()) return {};
  const std::vector<PemBlock> blocks = pem_blocks(text);
  for (const PemBlock& block : blocks) {
    if (block.type != "CERTIFICATE")
      return "only CERTIFICATE PEM blocks are allowed, found " + quote(block.type);
    if (block.has_headers) return "no PEM block headers are permitted";
    if (block.bytes.empty()) return "found CERTIFICATE PEM block containing 0 certificates";
    if (!Certificate(read_der<X509>(block.bytes, d2i_X509))) return "x509: malformed certificate";
  }
  return blocks.empty() ? "must contain at least one CERTIFICATE PEM block" : "";
}

std::string key_pair_problem(std::string_view certificates, std::string_view key) {
  std::vector<std::string> others;
  std::string certificate_bytes, key_bytes;
  for (PemBlock& block : pem_blocks(certificates))
    if (block.type != "CERTIFICATE")
      others.push_back(std::move(block.type));
    else if (certificate_bytes.empty())
      certificate_bytes = std::move(block.bytes);
  if (certificate_bytes.empty()) {
    if (others.empty()) return "tls: failed to find any PEM data in certificate input";
    if (others.size() == 1 && others.front().ends_with("PRIVATE KEY"))
      return "tls: failed to find certificate PEM data in certificate input, but did find a "
             "private key; PEM inputs may have been switched";
    return "tls: failed to find \"CERTIFICATE\" PEM block in certificate input " + skipped(others);
  }
  others.clear();
  for (PemBlock& block : pem_blocks(key)) {
    if (is_key_type(block.type)) {
      key_bytes = std::move(block.bytes);
      break;
    }
    others.push_back(std::move(block.type));
  }
  if (key_bytes.empty()) {
    if (others.empty()) return "tls: failed to find any PEM data in key input";
    if (others.size() == 1 && others.front() == "CERTIFICATE")
      return "tls: found a certificate rather than a key in the PEM for the private key";
    return "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input " +
           skipped(others);
  }
  const Certificate certificate(read_der<X509>(certificate_bytes, d2i_X509));
  if (!certificate) return "x509: malformed certificate";
  const Key own(read_der<EVP_PKEY>(key_bytes, d2i_AutoPrivateKey));
  if (!own) return "tls: failed to parse private key";
  const Key wanted(X509_get_pubkey(certificate.get()));
  if (!wanted) return "tls: unknown public key algorithm";
  if (EVP_PKEY_base_id(wanted.get()) != EVP_PKEY_base_id(own.get()))
    return "tls: private key type does not match public key type";
  if (EVP_PKEY_eq(wanted.get(), own.get()) != 1)
    return "tls: private key does not match public key";
  return {};
}

}  // namespace keelson::model
