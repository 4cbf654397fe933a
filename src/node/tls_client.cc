// OpenSSL with memory instead of sockets.
#include "node/tls_client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

#include "base/check.h"

namespace keelson::node {
namespace {

// One for all probes; nothing in it depends on the peer.
SSL_CTX* shared_context() {
  static SSL_CTX* const context = [] {
    SSL_CTX* made = SSL_CTX_new(TLS_client_method());
    KEELSON_CHECK(made != nullptr);
    SSL_CTX_set_verify(made, SSL_VERIFY_NONE, nullptr);
    return made;
  }();
  return context;
}

}  // namespace

struct TlsClient::State {
  SSL* ssl = nullptr;
  BIO* from_peer = nullptr;
  BIO* to_peer = nullptr;
};

TlsClient::TlsClient() : state_(std::make_unique<State>()) {
  state_->ssl = SSL_new(shared_context());
  KEELSON_CHECK(state_->ssl != nullptr);
  state_->from_peer = BIO_new(BIO_s_mem());
  state_->to_peer = BIO_new(BIO_s_mem());
  SSL_set_bio(state_->ssl, state_->from_peer, state_->to_peer);  // owns both
  SSL_set_connect_state(state_->ssl);
}

TlsClient::~TlsClient() {
  SSL_free(state_->ssl);
}

void TlsClient::send(std::string_view text) {
  waiting_.append(text);
}

bool TlsClient::receive(std::string_view bytes, std::string& text, std::string& out) {
  if (!bytes.empty()) BIO_write(state_->from_peer, bytes.data(), static_cast<int>(bytes.size()));
  bool good = true;
  if (const int code = SSL_do_handshake(state_->ssl); code != 1) {
    const int why = SSL_get_error(state_->ssl, code);
    good = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
    if (!good) {
      const char* reason = ERR_reason_error_string(ERR_get_error());
      error_ = std::string("tls: ") + (reason == nullptr ? "handshake failure" : reason);
      ERR_clear_error();
    }
  } else {
    if (!waiting_.empty() &&
        SSL_write(state_->ssl, waiting_.data(), static_cast<int>(waiting_.size())) > 0)
      waiting_.clear();
    std::array<char, 4096> buffer;
    for (int n = 0; (n = SSL_read(state_->ssl, buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  std::array<char, 4096> buffer;
  for (int n = 0; (n = BIO_read(state_->to_peer, buffer.data(), buffer.size())) > 0;)
    out.append(buffer.data(), static_cast<std::size_t>(n));
  return good;
}

}  // namespace keelson::node
