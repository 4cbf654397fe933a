// One BIO of our own stands between OpenSSL and the stream below: reading takes from the bytes that
// have just arrived without copying them first; writing gathers records until the call returns, so
// that many records go down in one write.
#include "api/http/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace keelson::api {
namespace {

constexpr std::size_t kPlainBytes = 16 * 1024;  // one record at most

std::string openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unexpected end";
  const char* text = ERR_reason_error_string(code);
  return text != nullptr ? text : "error " + std::to_string(code);
}

// What the BIO reads from and writes to.
struct Wire {
  std::string_view arrived;
  std::string leaving;
  bool ended = false;
};

int bio_read(BIO* bio, char* out, int length) {
  Wire& wire = *static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (wire.arrived.empty()) {
    if (!wire.ended) BIO_set_retry_read(bio);
    return wire.ended ? 0 : -1;
  }
  const std::size_t n = std::min(wire.arrived.size(), static_cast<std::size_t>(length));
  std::memcpy(out, wire.arrived.data(), n);
  wire.arrived.remove_prefix(n);
  return static_cast<int>(n);
}

int bio_write(BIO* bio, const char* bytes, int length) {
  static_cast<Wire*>(BIO_get_data(bio))->leaving.append(bytes, static_cast<std::size_t>(length));
  return length;
}

long bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_PUSH || command == BIO_CTRL_POP ? 1 : 0;
}

BIO_METHOD* wire_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "keelson wire");
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_ctrl(m, bio_control);
    BIO_meth_set_create(m, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return m;
  }();
  return method;
}

std::vector<std::string> subject_entries(X509_NAME* name, int nid) {
  std::vector<std::string> entries;
  for (int at = X509_NAME_get_index_by_NID(name, nid, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(name, nid, at)) {
    unsigned char* text = nullptr;
    const int length =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (length >= 0) {
      entries.emplace_back(reinterpret_cast<char*>(text), static_cast<std::size_t>(length));
      OPENSSL_free(text);
    }
  }
  return entries;
}

// The place of an X509_STORE in a context: the authorities of front proxies.
int proxy_store_index() {
  static const int index = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr, [](void*, void* store, CRYPTO_EX_DATA*, int, long, void*) {
        X509_STORE_free(static_cast<X509_STORE*>(store));
      });
  return index;
}

bool is_proxy(SSL* ssl, X509* certificate) {
  auto* store =
      static_cast<X509_STORE*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), proxy_store_index()));
  if (store == nullptr) return false;
  X509_STORE_CTX* check = X509_STORE_CTX_new();
  bool ok = X509_STORE_CTX_init(check, store, certificate, SSL_get_peer_cert_chain(ssl)) == 1;
  if (ok) X509_STORE_CTX_set_purpose(check, X509_PURPOSE_SSL_CLIENT);
  ok = ok && X509_verify_cert(check) == 1;
  X509_STORE_CTX_free(check);
  ERR_clear_error();
  return ok;
}

std::shared_ptr<const ClientCertificate> certificate_of(SSL* ssl) {
  X509* x509 = SSL_get1_peer_certificate(ssl);
  if (x509 == nullptr) return nullptr;
  auto certificate = std::make_shared<ClientCertificate>();
  X509_NAME* subject = X509_get_subject_name(x509);
  const std::vector<std::string> names = subject_entries(subject, NID_commonName);
  if (!names.empty()) certificate->common_name = names.back();
  certificate->organizations = subject_entries(subject, NID_organizationName);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  X509_digest(x509, EVP_sha256(), digest.data(), &length);
  certificate->sha256 = to_hex({reinterpret_cast<char*>(digest.data()), length});
  tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(x509), &end) == 1)
    certificate->not_after_unix_seconds = timegm(&end);
  const long verdict = SSL_get_verify_result(ssl);
  if (verdict != X509_V_OK) certificate->error = X509_verify_cert_error_string(verdict);
  certificate->proxy = is_proxy(ssl, x509);
  X509_free(x509);
  return certificate;
}

// Why a server was not accepted, in the words of Go's crypto/tls and crypto/x509.
std::string verification_problem(SSL* ssl) {
  const std::string head = "tls: failed to verify certificate: x509: ";
  switch (SSL_get_verify_result(ssl)) {
    case X509_V_OK: return "remote error: tls: " + openssl_error();
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return head + "certificate has expired or is not yet valid";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return head + "certificate is not valid for the name of the server";
    default: return head + "certificate signed by unknown authority";
  }
}

class TlsStream;

// OpenSSL's state of one connection with the stream below it.
struct Engine : std::enable_shared_from_this<Engine> {
  std::shared_ptr<const TlsContext> context;
  std::unique_ptr<host::Stream> below;
  SSL* ssl = nullptr;
  Wire wire;
  std::string early;  // plain bytes that arrived before somebody listened, or while paused
  std::function<void(Result<std::unique_ptr<host::Stream>>, TlsPeer)> done;
  host::Stream::Events events;
  bool handshaken = false, started = false, paused = false, ended = false, closed = false;
  bool end_pending = false, delivering = false;
  bool client = false;  // we made the connection

  ~Engine() { SSL_free(ssl); }

  void send() {
    if (wire.leaving.empty() || !below) return;
    below->write(wire.leaving);
    wire.leaving.clear();
    if (wire.leaving.capacity() > 256 * 1024) wire.leaving.shrink_to_fit();
  }

  void on_bytes(std::string_view bytes) {
    const auto self = shared_from_this();
    wire.arrived = bytes;
    if (!handshaken && !shake()) return;
    decrypt();
    // Unread only when the connection failed or is being closed.
    wire.arrived = {};
  }

  // True once the handshake is complete.
  bool shake();

  void decrypt() {
    static thread_local std::array<char, kPlainBytes> plain;
    while (!closed) {
      ERR_clear_error();
      const int n = SSL_read(ssl, plain.data(), static_cast<int>(plain.size()));
      if (n > 0) {
        deliver({plain.data(), static_cast<std::size_t>(n)});
        continue;
      }
      send();  // answers to a key update
      const int error = SSL_get_error(ssl, n);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) end();
      return;
    }
  }

  void deliver(std::string_view bytes) {
    if (!started || paused || !early.empty()) {
      early.append(bytes);
      return;
    }
    if (events.on_data) events.on_data(bytes);
  }

  void deliver_early() {
    if (delivering) return;
    delivering = true;
    while (started && !paused && !closed && !early.empty()) {
      const std::string bytes = std::exchange(early, {});
      if (events.on_data) events.on_data(bytes);
    }
    delivering = false;
    if (end_pending && !paused && !closed && early.empty()) {
      end_pending = false;
      if (events.on_end) events.on_end();
    }
  }

  void end() {
    if (std::exchange(ended, true)) return;
    if (!started || paused || !early.empty()) {
      end_pending = true;
      return;
    }
    if (events.on_end) events.on_end();
  }

  void on_below_end() {
    const auto self = shared_from_this();
    wire.ended = true;
    if (!handshaken) {
      fail("TLS handshake error: connection closed");
      return;
    }
    end();
  }

  void fail(const std::string& why) {
    if (!done) return;
    send();
    const auto call = std::exchange(done, {});
    call(Error{Reason::bad_request, why}, {});
  }
};

class TlsStream final : public host::Stream {
 public:
  explicit TlsStream(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
  ~TlsStream() override {
    Engine& engine = *engine_;
    engine.closed = true;
    engine.events = {};
    if (!engine.ended) {
      ERR_clear_error();
      SSL_shutdown(engine.ssl);
      engine.send();
    }
    engine.below.reset();
  }
  void start(Events events) override {
    engine_->events = std::move(events);
    engine_->started = true;
    const std::shared_ptr<Engine> engine = engine_;
    engine->deliver_early();
  }
  void write(std::string_view bytes) override {
    Engine& engine = *engine_;
    while (!bytes.empty()) {
      ERR_clear_error();
      const std::size_t length = std::min<std::size_t>(bytes.size(), kPlainBytes);
      const int n = SSL_write(engine.ssl, bytes.data(), static_cast<int>(length));
      if (n <= 0) break;  // broken; the reading side reports the end
      bytes.remove_prefix(static_cast<std::size_t>(n));
      if (engine.wire.leaving.size() >= 128 * 1024) engine.send();
    }
    engine.send();
  }
  std::size_t buffered() const override { return engine_->below->buffered(); }
  void pause(bool paused) override {
    const std::shared_ptr<Engine> engine = engine_;
    engine->paused = paused;
    engine->below->pause(paused);
    if (!paused && engine->started) engine->deliver_early();
  }
  void shutdown_write() override {
    ERR_clear_error();
    SSL_shutdown(engine_->ssl);
    engine_->send();
    engine_->below->shutdown_write();
  }
  std::string peer() const override { return engine_->below->peer(); }

 private:
  std::shared_ptr<Engine> engine_;
};

bool Engine::shake() {
  ERR_clear_error();
  const int n = SSL_do_handshake(ssl);
  if (n == 1) {
    handshaken = true;
    send();
    TlsPeer peer;
    const unsigned char* protocol = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &length);
    peer.protocol.assign(reinterpret_cast<const char*>(protocol), length);
    peer.certificate = certificate_of(ssl);
    const auto call = std::exchange(done, {});
    call(std::unique_ptr<host::Stream>(std::make_unique<TlsStream>(shared_from_this())),
         std::move(peer));
    return true;
  }
  const int error = SSL_get_error(ssl, n);
  if (error == SSL_ERROR_WANT_READ) {
    send();
  } else {
    fail(client ? verification_problem(ssl) : "TLS handshake error: " + openssl_error());
  }
  return false;
}

int select_protocol(SSL*, const unsigned char** out, unsigned char* out_length,
                    const unsigned char* offered, unsigned offered_length, void*) {
  static constexpr unsigned char supported[] = "\x02h2\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, supported, sizeof supported - 1, offered,
                            offered_length) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Result<void> add_client_cas(SSL_CTX* context, const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  int count = 0;
  while (X509* ca = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
    SSL_CTX_add_client_CA(context, ca);
    X509_free(ca);
    ++count;
  }
  BIO_free(bio);
  ERR_clear_error();
  if (count == 0) return Error{Reason::bad_request, "client CA: no certificate"};
  // Every certificate is taken here; whether it verified is kept with the session.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE,
                     [](int, X509_STORE_CTX*) { return 1; });
  return {};
}

Result<void> add_proxy_cas(SSL_CTX* context, const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509_STORE* store = X509_STORE_new();
  int count = 0;
  while (X509* ca = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
    X509_STORE_add_cert(store, ca);
    SSL_CTX_add_client_CA(context, ca);
    X509_free(ca);
    ++count;
  }
  BIO_free(bio);
  ERR_clear_error();
  SSL_CTX_set_ex_data(context, proxy_store_index(), store);
  if (count == 0) return Error{Reason::bad_request, "front proxy CA: no certificate"};
  return {};
}

Result<void> use_keys(SSL_CTX* context, const TlsKeys& keys) {
  BIO* bio =
      BIO_new_mem_buf(keys.certificate_pem.data(), static_cast<int>(keys.certificate_pem.size()));
  X509* leaf = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  bool ok = leaf != nullptr && SSL_CTX_use_certificate(context, leaf) == 1;
  X509_free(leaf);
  while (X509* next = ok ? PEM_read_bio_X509(bio, nullptr, nullptr, nullptr) : nullptr)
    SSL_CTX_add0_chain_cert(context, next);
  BIO_free(bio);
  ERR_clear_error();
  if (!ok) return Error{Reason::bad_request, "serving certificate: malformed"};
  bio = BIO_new_mem_buf(keys.key_pem.data(), static_cast<int>(keys.key_pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  ok = key != nullptr && SSL_CTX_use_PrivateKey(context, key) == 1;
  EVP_PKEY_free(key);
  BIO_free(bio);
  if (!ok) return Error{Reason::bad_request, "serving key: " + openssl_error()};
  return {};
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const TlsKeys& keys) {
  SSL_CTX* raw = SSL_CTX_new(TLS_server_method());
  KEELSON_CHECK(raw != nullptr);
  const std::shared_ptr<const TlsContext> context(new TlsContext(raw));
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_num_tickets(raw, 1);
  static constexpr unsigned char id[] = "keelson";
  SSL_CTX_set_session_id_context(raw, id, sizeof id - 1);
  SSL_CTX_set_alpn_select_cb(raw, select_protocol, nullptr);
  TRY_VOID(use_keys(raw, keys));
  if (!keys.client_ca_pem.empty()) TRY_VOID(add_client_cas(raw, keys.client_ca_pem));
  if (!keys.proxy_ca_pem.empty()) TRY_VOID(add_proxy_cas(raw, keys.proxy_ca_pem));
  return context;
}

TlsContext::TlsContext(ssl_ctx_st* context) : context_(context) {
  static std::uint64_t made = 0;
  id_ = ++made;
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::make_client(const TlsClientKeys& keys) {
  const std::string& authorities_pem = keys.authorities_pem;
  SSL_CTX* raw = SSL_CTX_new(TLS_client_method());
  KEELSON_CHECK(raw != nullptr);
  const std::shared_ptr<const TlsContext> context(new TlsContext(raw));
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  // A certificate that is trusted itself needs no issuer, as in Go.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(raw), X509_V_FLAG_PARTIAL_CHAIN);
  if (!keys.certificate_pem.empty())
    TRY_VOID(use_keys(
        raw,
        {.certificate_pem = keys.certificate_pem, .key_pem = keys.key_pem, .client_ca_pem = {}}));
  if (keys.trusts_all) {
    SSL_CTX_set_verify(raw, SSL_VERIFY_NONE, nullptr);
    return context;
  }
  if (authorities_pem.empty()) {
    SSL_CTX_set_default_verify_paths(raw);
    return context;
  }
  BIO* bio = BIO_new_mem_buf(authorities_pem.data(), static_cast<int>(authorities_pem.size()));
  int count = 0;
  while (X509* ca = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(raw), ca);
    X509_free(ca);
    ++count;
  }
  BIO_free(bio);
  ERR_clear_error();
  if (count == 0)
    return Error{Reason::bad_request, "unable to load root certificates: no certificate"};
  return context;
}

namespace {

std::shared_ptr<Engine> make_engine(
    std::shared_ptr<const TlsContext> context, std::unique_ptr<host::Stream> stream,
    std::function<void(Result<std::unique_ptr<host::Stream>>, TlsPeer)> done) {
  auto engine = std::make_shared<Engine>();
  engine->ssl = SSL_new(context->get());
  engine->context = std::move(context);
  engine->below = std::move(stream);
  engine->done = std::move(done);
  BIO* bio = BIO_new(wire_method());
  BIO_set_data(bio, &engine->wire);
  SSL_set_bio(engine->ssl, bio, bio);
  return engine;
}

void start_engine(const std::shared_ptr<Engine>& engine) {
  // The stream's events must not keep their own stream alive.
  const std::weak_ptr<Engine> weak = engine;
  engine->below->start({.on_data =
                            [weak](std::string_view bytes) {
                              if (const auto e = weak.lock()) e->on_bytes(bytes);
                            },
                        .on_end =
                            [weak] {
                              if (const auto e = weak.lock()) e->on_below_end();
                            },
                        .on_drained =
                            [weak] {
                              const auto e = weak.lock();
                              if (e && e->events.on_drained) e->events.on_drained();
                            }});
}

}  // namespace

std::shared_ptr<void> accept_tls(
    std::shared_ptr<const TlsContext> context, std::unique_ptr<host::Stream> stream,
    std::function<void(Result<std::unique_ptr<host::Stream>>, TlsPeer)> done) {
  auto engine = make_engine(std::move(context), std::move(stream), std::move(done));
  SSL_set_accept_state(engine->ssl);
  start_engine(engine);
  return engine;
}

std::shared_ptr<void> connect_tls(
    std::shared_ptr<const TlsContext> context, const std::string& host,
    std::unique_ptr<host::Stream> stream,
    std::function<void(Result<std::unique_ptr<host::Stream>>, TlsPeer)> done) {
  auto engine = make_engine(std::move(context), std::move(stream), std::move(done));
  engine->client = true;
  SSL_set_connect_state(engine->ssl);
  X509_VERIFY_PARAM* wanted = SSL_get0_param(engine->ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) != 1) {
    ERR_clear_error();
    X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), 0);
    SSL_set_tlsext_host_name(engine->ssl, host.c_str());
  }
  start_engine(engine);
  engine->shake();
  return engine;
}

}  // namespace keelson::api
