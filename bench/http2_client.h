// What a load generator needs of HTTP/2 over TLS: many connections with many streams each, on one
// thread. Any HTTP/2 server will do; nothing here knows Kubernetes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/client.h"
#include "base/result.h"

namespace keelson::bench {

struct Request {
  std::string method = "GET", path;
  std::string body = {}, content_type = "application/json", accept = "application/json";
  std::function<void(std::string_view)> on_data = {};  // the answer's body as it comes
  std::function<void(int status)> on_end = {};         // 0: the stream was reset
};

class Http2Client {
 public:
  // Opens that many connections, with the endpoint's certificate or token. Error:
  // service_unavailable. Server certificates are not checked: this measures.
  static Result<std::unique_ptr<Http2Client>> open(const app::Endpoint& endpoint, int connections);
  ~Http2Client();

  // Queued on this connection (0 ..) at once; sent by the next step.
  void send(int connection, Request request);
  // One round of reading, handing over and writing; waits at most so long for something to do.
  // Error: service_unavailable when a connection ended.
  Result<void> step(int wait_milliseconds = 1000);

  int connections() const { return static_cast<int>(links_.size()); }
  std::uint64_t received_bytes() const { return received_; }

 private:
  struct Link;
  Http2Client() = default;

  int epoll_ = -1;
  void* context_ = nullptr;  // SSL_CTX
  std::vector<std::unique_ptr<Link>> links_;
  std::uint64_t received_ = 0;
};

}  // namespace keelson::bench
