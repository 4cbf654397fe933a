// Client: what the command line needs of an API server, over libcurl. Blocking; one request at a
// time, but for stream(). Knows nothing of engines: it works against any kubeconfig.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "codec/value.h"

namespace keelson::app {

struct Endpoint {
  std::string server;                     // "https://127.0.0.1:6443"
  std::string ca_pem, cert_pem, key_pem;  // texts; empty where not used
  std::string token;
};

struct HttpAnswer {
  int code = 0;
  std::string body;
  std::string content_type;
};

class Client {
 public:
  explicit Client(Endpoint endpoint);
  ~Client();
  Client(Client&&) noexcept;

  struct Options {
    std::string content_type = "application/json";
    std::string accept = "application/json";
    Duration timeout = Duration::seconds(30);
  };
  // Error (service_unavailable) only if no answer came; any HTTP code is an answer.
  Result<HttpAnswer> request(std::string_view method, std::string_view path, std::string_view body,
                             const Options& options);
  // A GET whose JSON answer is wanted: a Status with a failure becomes an Error with its reason,
  // message and causes.
  Result<codec::Value> get(std::string_view path);
  Result<codec::Value> send(std::string_view method, std::string_view path, std::string_view body,
                            std::string_view content_type = "application/json");
  // Feeds the answer's body as it arrives until it ends or on_data returns false. No time limit.
  Result<int> stream(std::string_view path, std::function<bool(std::string_view)> on_data);

  const Endpoint& endpoint() const { return endpoint_; }

 private:
  struct Handle;
  Endpoint endpoint_;
  std::unique_ptr<Handle> handle_;
};

// A name as a part of a path: "a/b" does not lead elsewhere.
std::string path_segment(std::string_view name);
// The Error that a Kubernetes Status of this code stands for.
Error error_of_status(const codec::Value& status, int code);

}  // namespace keelson::app
