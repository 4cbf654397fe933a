// TLS for byte streams: wraps a host::Stream in another one that speaks plain text upwards. TLS 1.2
// and 1.3, ALPN "h2" and "http/1.1", session tickets, optional client certificates. A client
// certificate that does not verify is reported, not refused: who asks is for authentication to
// decide, as in Kubernetes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api/http/http.h"
#include "base/result.h"
#include "host/sockets.h"

struct ssl_ctx_st;

namespace keelson::api {

struct TlsKeys {
  std::string certificate_pem;  // leaf first, then intermediates
  std::string key_pem;
  std::string client_ca_pem;  // empty: no client certificates are asked for
  // Whose certificates front proxies have (ClientCertificate::proxy). Empty: there are none.
  std::string proxy_ca_pem = {};
};

// For connections that we make.
struct TlsClientKeys {
  std::string authorities_pem;           // whom to trust; empty: whom the system trusts
  bool trusts_all = false;               // then the server's certificate is not looked at
  std::string certificate_pem, key_pem;  // shown to servers that ask; empty: none
};

class TlsContext {
 public:
  // Error: bad_request when a text is no certificate or key, or they do not belong together.
  static Result<std::shared_ptr<const TlsContext>> make(const TlsKeys& keys);
  // Error: bad_request when the authorities hold no certificate or the key does not fit.
  static Result<std::shared_ptr<const TlsContext>> make_client(const TlsClientKeys& keys);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ssl_ctx_st* get() const { return context_; }
  // No two contexts of this process ever have the same.
  std::uint64_t id() const { return id_; }

 private:
  explicit TlsContext(ssl_ctx_st* context);
  ssl_ctx_st* context_;
  std::uint64_t id_;
};

struct TlsPeer {
  std::string protocol;                                  // "h2", "http/1.1" or empty
  std::shared_ptr<const ClientCertificate> certificate;  // null: none was presented
};

// Performs the server's side of the handshake. The handle owns the stream until `done` is called,
// once; dropping the handle before closes the connection. An Error says why the handshake failed.
std::shared_ptr<void> accept_tls(
    std::shared_ptr<const TlsContext> context, std::unique_ptr<host::Stream> stream,
    std::function<void(Result<std::unique_ptr<host::Stream>>, TlsPeer)> done);

// Performs the client's side, and verifies that the peer is `host` (a name or an address). As
// accept_tls, but the errors are those of Go's crypto/tls: "tls: failed to verify certificate:
// ...".
std::shared_ptr<void> connect_tls(
    std::shared_ptr<const TlsContext> context, const std::string& host,
    std::unique_ptr<host::Stream> stream,
    std::function<void(Result<std::unique_ptr<host::Stream>>, TlsPeer)> done);

}  // namespace keelson::api
