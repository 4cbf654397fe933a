// See certificate_requests.h.
#include "api/access/certificate_requests.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <map>
#include <memory>

#include "api/access/openssl_pointers.h"
#include "base/check.h"
#include "base/text.h"

namespace keelson::api {
namespace {

using RequestPtr = std::unique_ptr<X509_REQ, OpensslDeleter<X509_REQ_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpensslDeleter<GENERAL_NAMES_free>>;

constexpr Duration kBackdated = Duration::minutes(5);

void free_extensions(STACK_OF(X509_EXTENSION) * all) {
  sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
}
using ExtensionsPtr = std::unique_ptr<STACK_OF(X509_EXTENSION), OpensslDeleter<free_extensions>>;

BioPtr reader_of(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<RequestPtr> parse(const std::string& pem) {
  RequestPtr request(PEM_read_bio_X509_REQ(reader_of(pem).get(), nullptr, nullptr, nullptr));
  if (!request) return Error{Reason::invalid, "PEM block type must be CERTIFICATE REQUEST"};
  if (X509_REQ_verify(request.get(), X509_REQ_get0_pubkey(request.get())) != 1)
    return Error{Reason::invalid, "the signature of the request does not hold"};
  return request;
}

std::string text_of(ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int length = ASN1_STRING_to_UTF8(&utf8, string);
  if (length < 0) return {};
  std::string text(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(length));
  OPENSSL_free(utf8);
  return text;
}

std::vector<std::string> entries_of(const X509_NAME* name, int nid) {
  std::vector<std::string> found;
  for (int at = X509_NAME_get_index_by_NID(name, nid, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(name, nid, at))
    found.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))));
  return found;
}

void add_usage(X509* certificate, X509* issuer, int nid, const std::string& text) {
  if (text.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, text.c_str());
  if (extension == nullptr) return;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// The words of the API in OpenSSL's.
std::string usages_in(const std::vector<std::string>& usages,
                      const std::map<std::string, std::string>& words) {
  std::vector<std::string> found;
  for (const std::string& usage : usages)
    if (const auto at = words.find(usage); at != words.end()) found.push_back(at->second);
  return join(found, ",");
}

void add_usages(X509* certificate, X509* issuer, const std::vector<std::string>& usages) {
  static const std::map<std::string, std::string> kKey = {{"signing", "digitalSignature"},
                                                          {"digital signature", "digitalSignature"},
                                                          {"content commitment", "nonRepudiation"},
                                                          {"key encipherment", "keyEncipherment"},
                                                          {"key agreement", "keyAgreement"},
                                                          {"data encipherment", "dataEncipherment"},
                                                          {"cert sign", "keyCertSign"},
                                                          {"crl sign", "cRLSign"},
                                                          {"encipher only", "encipherOnly"},
                                                          {"decipher only", "decipherOnly"}};
  static const std::map<std::string, std::string> kExtended = {
      {"any", "anyExtendedKeyUsage"},          {"server auth", "serverAuth"},
      {"client auth", "clientAuth"},           {"code signing", "codeSigning"},
      {"email protection", "emailProtection"}, {"s/mime", "emailProtection"},
      {"timestamping", "timeStamping"},        {"ocsp signing", "OCSPSigning"}};
  const std::string key = usages_in(usages, kKey);
  add_usage(certificate, issuer, NID_key_usage, key.empty() ? "" : "critical," + key);
  add_usage(certificate, issuer, NID_ext_key_usage, usages_in(usages, kExtended));
}

Instant instant_of(const ASN1_TIME* time) {
  std::tm fields{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) return {};
  return Instant::unix_seconds(timegm(&fields));
}

CertificatePtr parse_certificate(const std::string& pem) {
  return CertificatePtr(PEM_read_bio_X509(reader_of(pem).get(), nullptr, nullptr, nullptr));
}

}  // namespace

Result<RequestedCertificate> read_certificate_request(const std::string& pem) {
  TRY(const RequestPtr request, parse(pem));
  RequestedCertificate result;
  const X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  const std::vector<std::string> names = entries_of(subject, NID_commonName);
  if (!names.empty()) result.common_name = names.back();
  result.organizations = entries_of(subject, NID_organizationName);
  const ExtensionsPtr extensions(X509_REQ_get_extensions(request.get()));
  const NamesPtr alternatives(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i)
    switch (sk_GENERAL_NAME_value(alternatives.get(), i)->type) {
      case GEN_DNS: result.dns_names = true; break;
      case GEN_IPADD: result.addresses = true; break;
      case GEN_EMAIL: result.emails = true; break;
      case GEN_URI: result.uris = true; break;
      default: break;
    }
  return result;
}

Result<std::string> sign_certificate_request(const KeyPair& ca, const std::string& pem,
                                             const std::vector<std::string>& usages,
                                             Duration lifetime, Instant now) {
  TRY(const RequestPtr request, parse(pem));
  const CertificatePtr issuer = parse_certificate(ca.certificate_pem);
  const KeyPtr key(PEM_read_bio_PrivateKey(reader_of(ca.key_pem).get(), nullptr, nullptr, nullptr));
  if (!issuer || !key) return Error{Reason::internal_error, "CA: malformed"};
  const CertificatePtr certificate(X509_new());
  X509* x509 = certificate.get();
  X509_set_version(x509, 2);
  const std::array<unsigned char, 16> serial = random_serial();
  BIGNUM* number = BN_bin2bn(serial.data(), serial.size(), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
  BN_free(number);
  const Instant end =
      std::min(now - kBackdated + lifetime, instant_of(X509_get0_notAfter(issuer.get())));
  ASN1_TIME_set(X509_getm_notBefore(x509), (now - kBackdated).unix_seconds());
  ASN1_TIME_set(X509_getm_notAfter(x509), end.unix_seconds());
  X509_set_subject_name(x509, X509_REQ_get_subject_name(request.get()));
  X509_set_issuer_name(x509, X509_get_subject_name(issuer.get()));
  X509_set_pubkey(x509, X509_REQ_get0_pubkey(request.get()));
  add_usages(x509, issuer.get(), usages);
  add_usage(x509, issuer.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_usage(x509, issuer.get(), NID_authority_key_identifier, "keyid");
  // Of what else the request wants only the names are granted.
  const ExtensionsPtr extensions(X509_REQ_get_extensions(request.get()));
  const int names = X509v3_get_ext_by_NID(extensions.get(), NID_subject_alt_name, -1);
  if (names >= 0) X509_add_ext(x509, X509v3_get_ext(extensions.get(), names), -1);
  KEELSON_CHECK(X509_sign(x509, key.get(), EVP_sha256()) > 0);
  const BioPtr out(BIO_new(BIO_s_mem()));
  KEELSON_CHECK(PEM_write_bio_X509(out.get(), x509) == 1);
  char* data = nullptr;
  const long length = BIO_get_mem_data(out.get(), &data);
  return std::string(data, static_cast<std::size_t>(length));
}

Instant certificate_expiry(const std::string& pem) {
  const CertificatePtr certificate = parse_certificate(pem);
  return certificate ? instant_of(X509_get0_notAfter(certificate.get())) : Instant();
}

}  // namespace keelson::api
