// Requests that this server makes of others over HTTPS: webhooks, aggregated API servers. Each is
// one request and one whole answer, in time. Connections are kept for the next request to the same
// server with the same TLS; one that turns out to be closed is replaced once, unseen. Asynchronous
// on the loop. Failures are worded as Go's net/http does, since they end up in messages that people
// search for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/http/http.h"
#include "api/http/tls.h"
#include "host/loop.h"
#include "host/sockets.h"

namespace keelson::api {

struct HttpCall {
  std::string address;  // where to connect: a name or an address
  int port = 443;
  std::string host;  // whose certificate is expected, and the Host header
  std::shared_ptr<const TlsContext> context;
  std::string method = "GET", target;  // path and query
  Headers headers;                     // besides Host and Content-Length
  std::string body;
  Duration timeout = Duration::seconds(10);
};
struct HttpReply {
  int code = 0;
  Headers headers;
  std::string body;
};

class HttpClient {
 public:
  HttpClient(host::Loop& loop, host::Sockets& sockets) : loop_(loop), sockets_(sockets) {}
  ~HttpClient();

  // Calls `done` once, later, unless the client is gone by then. An Error's message is Go's text
  // after `Get "URL": `.
  void send(HttpCall call, std::function<void(Result<HttpReply>)> done);
  std::size_t open() const { return calls_.size(); }
  std::size_t idle() const;

  static constexpr std::size_t kIdlePerServer = 8;
  static constexpr Duration kIdleMax = Duration::seconds(90);

 private:
  class Connection;
  class Call;
  using Key = std::string;

  static Key key_of(const HttpCall& call);
  std::shared_ptr<Connection> take_idle(const Key& key);
  void keep(const Key& key, std::shared_ptr<Connection> connection);
  void drop(const Key& key, const Connection* connection);

  host::Loop& loop_;
  host::Sockets& sockets_;
  std::map<Key, std::vector<std::shared_ptr<Connection>>> idle_;
  std::map<std::uint64_t, std::shared_ptr<Call>> calls_;
  std::uint64_t next_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace keelson::api
