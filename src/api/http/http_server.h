// Accepts connections, speaks TLS, chooses HTTP/1.1 or HTTP/2 and keeps the connections. Closes
// those that say nothing for too long. Knows no Kubernetes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "api/http/http.h"
#include "api/http/tls.h"
#include "base/result.h"
#include "host/loop.h"
#include "host/sockets.h"

namespace keelson::api {

class Connection;

class HttpServer {
 public:
  HttpServer(host::Loop& loop, host::Sockets& sockets, Handler handler, HttpLimits limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Starts to listen; the port that was chosen. context may be null: plain HTTP/1.1.
  Result<int> listen(const std::string& address, int port,
                     std::shared_ptr<const TlsContext> context);
  // For connections from now on (a renewed certificate).
  void replace_tls(std::shared_ptr<const TlsContext> context);
  // Takes a stream that somebody else accepted.
  void serve(std::unique_ptr<host::Stream> stream, std::shared_ptr<const TlsContext> context);
  // Stops listening, lets running requests end; `done` when the last connection is gone or `limit`
  // has passed. Watches end at once.
  void stop(Duration limit, std::function<void()> done);

  std::size_t connections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace keelson::api
