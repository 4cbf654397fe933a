// What the HTTP/1.1 and HTTP/2 connections and the handlers behind them share: one request, one
// answer, a body that is pulled as fast as the client takes it. Nothing here knows a protocol
// version, TLS or Kubernetes.
//
// A handler answers through its Responder exactly once, at once or later, on the loop's thread. A
// client that goes away ends the exchange: the Body of the answer is destroyed, or on_cancel is
// called if there is none yet.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/sockets.h"

namespace keelson::api {

// Header fields in order of arrival. Names are lower-case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}
  // The first value; empty if there is none.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;
  void add(std::string name, std::string value);
  void add_first(std::string name, std::string value);
  void set(std::string_view name, std::string value);  // replaces all of that name
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }
  // True if a comma-separated field holds this token, in any case.
  bool has_token(std::string_view name, std::string_view token) const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// The certificate that a client presented in its TLS handshake.
struct ClientCertificate {
  std::string common_name;                 // of the subject: the user
  std::vector<std::string> organizations;  // of the subject: the groups
  std::string sha256;                      // of its DER form, hexadecimal
  std::string error;                       // not empty: it does not verify, and why
  bool proxy = false;                      // it verifies as that of a front proxy
  std::int64_t not_after_unix_seconds = 0;
};

struct HttpRequest {
  std::string method;
  std::string path;   // still percent-encoded
  std::string query;  // without "?"
  Headers headers;
  std::string body;
  bool body_too_large = false;  // then body is empty
  bool http2 = false;
  std::string peer;  // "127.0.0.1:4711"
  std::shared_ptr<const ClientCertificate> certificate;
};

// A body of unknown length. Its destruction tells it that nobody reads any more.
class Body {
 public:
  enum class State { more, waiting, finished, aborted };
  virtual ~Body() = default;
  // Appends to `out`, about `want` bytes at most (one indivisible piece may be longer). `waiting`:
  // nothing now, the wake call follows. `aborted`: the answer cannot be completed and the client
  // must see that.
  virtual State read(std::string& out, std::size_t want) = 0;
  // Set once, before the first read. To be called after `waiting`, never from within read().
  void set_wake(std::function<void()> wake) { wake_ = std::move(wake); }

 protected:
  void wake() {
    if (wake_) wake_();
  }

 private:
  std::function<void()> wake_;
};

struct HttpResponse {
  int code = 200;
  Headers headers;  // content-length and transfer-encoding are the connection's affair
  std::string text;
  std::unique_ptr<Body> body = {};  // instead of text
};

class Responder {
 public:
  virtual ~Responder() = default;  // without an answer: the connection ends the exchange with 500
  virtual void respond(HttpResponse response) = 0;
  // Called if the client goes away before respond().
  virtual void on_cancel(std::function<void()> call) = 0;
  // Answers 101 with these headers and hands over the connection (HTTP/1.1 only; null else, and
  // nothing has been answered then). What the client sent ahead arrives first.
  virtual std::unique_ptr<host::Stream> upgrade(Headers headers) = 0;
};

using Handler = std::function<void(HttpRequest, std::shared_ptr<Responder>)>;

struct HttpLimits {
  std::size_t head_bytes_max = 1024 * 1024;      // request line and headers, as Go's default
  std::size_t body_bytes_max = 3 * 1024 * 1024;  // as kube-apiserver
  std::size_t streams_max = 250;                 // of one HTTP/2 connection, as kube-apiserver
  std::size_t connections_max = 8000;            // of the server; less if descriptors are few
  std::size_t buffered_max = 256 * 1024;  // answers are pulled until this much waits for the peer
};

std::string_view reason_phrase(int code);

// A body from pieces that outlive it, such as stored objects: `next` appends one piece and returns
// false when none is left.
std::unique_ptr<Body> make_piece_body(std::function<bool(std::string&)> next);
// Compresses another body (gzip). Whatever the other body has given before it
// waits reaches the client at once.
std::unique_ptr<Body> make_gzip_body(std::unique_ptr<Body> body, int level);
std::string gzip(std::string_view text, int level);
std::string gunzip(std::string_view packed);  // of what gzip() made

}  // namespace keelson::api
