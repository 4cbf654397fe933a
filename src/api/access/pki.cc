// Certificates by OpenSSL. Validity begins an hour early for clocks that differ; serial numbers are
// random.
#include "api/access/pki.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <memory>

#include "api/access/openssl_pointers.h"
#include "base/check.h"
#include "base/text.h"

namespace keelson::api {

std::array<unsigned char, 16> random_serial() {
  std::array<unsigned char, 16> bytes;
  KEELSON_CHECK(RAND_bytes(bytes.data(), bytes.size()) == 1);
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);
  return bytes;
}

namespace {

constexpr Duration kCaLifetime = Duration::hours(10 * 365 * 24);
constexpr Duration kRenewBefore = Duration::hours(30 * 24);

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(length)};
}

std::string key_pem(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  KEELSON_CHECK(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) ==
                1);
  return text_of(bio.get());
}

std::string certificate_pem(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  KEELSON_CHECK(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return text_of(bio.get());
}

KeyPtr parse_key(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return KeyPtr(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

CertificatePtr parse_certificate(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return CertificatePtr(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

KeyPtr make_key() {
  KeyPtr key(EVP_EC_gen("P-256"));
  KEELSON_CHECK(key != nullptr);
  return key;
}

void set_serial(X509* certificate) {
  const std::array<unsigned char, 16> bytes = random_serial();
  BIGNUM* number = BN_bin2bn(bytes.data(), bytes.size(), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
  BN_free(number);
}

void add_name(X509_NAME* name, const char* field, const std::string& text) {
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(text.data()),
                             static_cast<int>(text.size()), -1, 0);
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& text) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, text.c_str());
  if (extension == nullptr) return false;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return true;
}

void set_times(X509* certificate, Instant now, Duration lifetime) {
  ASN1_TIME_set(X509_getm_notBefore(certificate), (now - Duration::hours(1)).unix_seconds());
  ASN1_TIME_set(X509_getm_notAfter(certificate), (now + lifetime).unix_seconds());
}

KeyPair make_ca(Instant now, const std::string& name) {
  const KeyPtr key = make_key();
  const CertificatePtr certificate(X509_new());
  X509* x509 = certificate.get();
  X509_set_version(x509, 2);
  set_serial(x509);
  set_times(x509, now, kCaLifetime);
  add_name(X509_get_subject_name(x509), "CN", name);
  X509_set_issuer_name(x509, X509_get_subject_name(x509));
  X509_set_pubkey(x509, key.get());
  add_extension(x509, x509, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(x509, x509, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign");
  add_extension(x509, x509, NID_subject_key_identifier, "hash");
  KEELSON_CHECK(X509_sign(x509, key.get(), EVP_sha256()) > 0);
  return {certificate_pem(x509), key_pem(key.get())};
}

std::string alternative_names(const CertificateOrder& order) {
  std::vector<std::string> names;
  for (const std::string& name : order.dns_names) names.push_back("DNS:" + name);
  for (const std::string& address : order.addresses) names.push_back("IP:" + address);
  return join(names, ",");
}

Result<std::string> read_text(host::Files& files, const std::string& path) {
  TRY(const auto file, files.open(path, false));
  return file->read(0, file->size());
}

// The file appears whole or not at all.
Result<void> write_text(host::Files& files, const std::string& path, const std::string& text) {
  const std::string part = path + ".new";
  {
    TRY(const auto file, files.open(part, true));
    TRY_VOID(file->truncate(0));
    TRY_VOID(file->append(text));
    TRY_VOID(file->sync());
  }
  return files.rename(part, path);
}

// Both halves stand in one file, so that they cannot come apart.
struct Kept {
  host::Files& files;
  std::string directory;
  bool changed = false;

  std::string path(std::string_view name) const {
    return directory + "/" + std::string(name) + ".pem";
  }
  // `usable` decides whether what is kept is still good; else `make` makes it anew.
  Result<KeyPair> pair(std::string_view name, bool replaceable,
                       const std::function<bool(X509*)>& usable,
                       const std::function<Result<KeyPair>()>& make) {
    if (files.exists(path(name))) {
      TRY(const std::string text, read_text(files, path(name)));
      const CertificatePtr certificate = parse_certificate(text);
      const KeyPtr key = parse_key(text);
      const bool whole = certificate && key && X509_check_private_key(certificate.get(), key.get());
      if (whole && usable(certificate.get()))
        return KeyPair{certificate_pem(certificate.get()), key_pem(key.get())};
      if (!replaceable) {
        return Error{Reason::internal_error, path(name) +
                                                 ": malformed or expired; everything that "
                                                 "trusts it would break if it were replaced"};
      }
    }
    TRY(KeyPair made, make());
    TRY_VOID(write_text(files, path(name), made.certificate_pem + made.key_pem));
    changed = true;
    return made;
  }
};

bool lasts(X509* certificate, Instant until) {
  time_t seconds = until.unix_seconds();
  return X509_cmp_time(X509_get0_notAfter(certificate), &seconds) > 0;
}

bool issued_by(X509* certificate, const KeyPair& ca) {
  const CertificatePtr issuer = parse_certificate(ca.certificate_pem);
  return issuer && X509_verify(certificate, X509_get0_pubkey(issuer.get())) == 1;
}

bool names_all(X509* certificate, const CertificateOrder& order) {
  return std::all_of(order.dns_names.begin(), order.dns_names.end(),
                     [&](const std::string& name) {
                       return X509_check_host(certificate, name.c_str(), name.size(),
                                              X509_CHECK_FLAG_NO_WILDCARDS, nullptr) == 1;
                     }) &&
         std::all_of(order.addresses.begin(), order.addresses.end(), [&](const std::string& a) {
           return X509_check_ip_asc(certificate, a.c_str(), 0) == 1;
         });
}

void append_new(std::vector<std::string>& list, const std::vector<std::string>& more) {
  for (const std::string& text : more)
    if (!text.empty() && std::find(list.begin(), list.end(), text) == list.end())
      list.push_back(text);
}

}  // namespace

Result<KeyPair> issue_certificate(const KeyPair& ca, const CertificateOrder& order, Instant now) {
  const CertificatePtr issuer = parse_certificate(ca.certificate_pem);
  const KeyPtr issuer_key = parse_key(ca.key_pem);
  if (!issuer || !issuer_key) return Error{Reason::internal_error, "CA: malformed"};
  const KeyPtr key = make_key();
  const CertificatePtr certificate(X509_new());
  X509* x509 = certificate.get();
  X509_set_version(x509, 2);
  set_serial(x509);
  set_times(x509, now, order.lifetime);
  X509_NAME* subject = X509_get_subject_name(x509);
  for (const std::string& organization : order.organizations) add_name(subject, "O", organization);
  add_name(subject, "CN", order.common_name);
  X509_set_issuer_name(x509, X509_get_subject_name(issuer.get()));
  X509_set_pubkey(x509, key.get());
  add_extension(x509, issuer.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(x509, issuer.get(), NID_key_usage, "critical,digitalSignature");
  const std::string usage = order.server && order.client ? "serverAuth,clientAuth"
                            : order.server               ? "serverAuth"
                                                         : "clientAuth";
  add_extension(x509, issuer.get(), NID_ext_key_usage, usage);
  add_extension(x509, issuer.get(), NID_authority_key_identifier, "keyid");
  if (!order.dns_names.empty() || !order.addresses.empty()) {
    if (!add_extension(x509, issuer.get(), NID_subject_alt_name, alternative_names(order)))
      return Error{Reason::bad_request, "certificate: malformed name or address"};
  }
  KEELSON_CHECK(X509_sign(x509, issuer_key.get(), EVP_sha256()) > 0);
  return KeyPair{certificate_pem(x509), key_pem(key.get())};
}

Result<Pki> open_pki(host::Files& files, const PkiOptions& options, Instant now) {
  TRY_VOID(files.make_directories(options.directory));
  Kept kept{files, options.directory};
  Pki pki;
  const Instant soon = now + kRenewBefore;
  TRY(pki.ca, kept.pair(
                  "ca", false, [&](X509* x509) { return lasts(x509, now); },
                  [&] { return Result<KeyPair>(make_ca(now, "keelson-ca")); }));
  CertificateOrder serving{
      .common_name = "kube-apiserver",
      .dns_names = {"kubernetes", "kubernetes.default", "kubernetes.default.svc",
                    "kubernetes.default.svc.cluster.local", "localhost"},
      .addresses = {"127.0.0.1", "::1"},
      .server = true};
  append_new(serving.dns_names, options.dns_names);
  append_new(serving.addresses, options.addresses);
  TRY(pki.serving, kept.pair(
                       "serving", true,
                       [&](X509* x509) {
                         return lasts(x509, soon) && issued_by(x509, pki.ca) &&
                                names_all(x509, serving);
                       },
                       [&] { return issue_certificate(pki.ca, serving, now); }));
  const CertificateOrder admin{
      .common_name = "admin", .organizations = {"system:masters"}, .client = true};
  TRY(pki.admin,
      kept.pair(
          "admin", true, [&](X509* x509) { return lasts(x509, soon) && issued_by(x509, pki.ca); },
          [&] { return issue_certificate(pki.ca, admin, now); }));
  TRY(pki.proxy_ca, kept.pair(
                        "proxy-ca", false, [&](X509* x509) { return lasts(x509, now); },
                        [&] { return Result<KeyPair>(make_ca(now, "front-proxy-ca")); }));
  const CertificateOrder proxy{.common_name = std::string(kFrontProxyName), .client = true};
  TRY(pki.proxy_client,
      kept.pair(
          "proxy-client", true,
          [&](X509* x509) { return lasts(x509, soon) && issued_by(x509, pki.proxy_ca); },
          [&] { return issue_certificate(pki.proxy_ca, proxy, now); }));
  const std::string token_path = kept.path("token-key");
  if (files.exists(token_path)) {
    TRY(pki.token_key_pem, read_text(files, token_path));
    if (!parse_key(pki.token_key_pem))
      return Error{Reason::internal_error, token_path + ": malformed"};
  } else {
    pki.token_key_pem = key_pem(make_key().get());
    TRY_VOID(write_text(files, token_path, pki.token_key_pem));
    kept.changed = true;
  }
  if (kept.changed) TRY_VOID(files.sync_directory(options.directory));
  return pki;
}

std::string kubeconfig_text(const Pki& pki, std::string_view context, std::string_view server) {
  const std::string name = quote(context);
  std::string text = "apiVersion: v1\nkind: Config\nclusters:\n- name: " + name + "\n  cluster:\n";
  text += "    server: " + quote(server) + "\n";
  text += "    certificate-authority-data: " + to_base64(pki.ca.certificate_pem) + "\n";
  text += "users:\n- name: " + name + "\n  user:\n";
  text += "    client-certificate-data: " + to_base64(pki.admin.certificate_pem) + "\n";
  text += "    client-key-data: " + to_base64(pki.admin.key_pem) + "\n";
  text += "contexts:\n- name: " + name + "\n  context:\n";
  text += "    cluster: " + name + "\n    user: " + name + "\n";
  text += "current-context: " + name + "\n";
  return text;
}

}  // namespace keelson::api
