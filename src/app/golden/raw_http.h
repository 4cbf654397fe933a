// One HTTP connection that sends exactly what it is told: no header of its own but those that a
// recorded request implies, any method, several headers of one name. Blocking; one per thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/client.h"
#include "base/result.h"
#include "base/time.h"

namespace keelson::app {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct RawRequest {
  std::string method, path;  // path with query, percent-encoded
  Headers headers = {};
  bool has_body = false;
  std::string body = {};
  bool bare = false;  // without certificate and token
};

struct RawAnswer {
  int code = 0;
  Headers headers = {};  // names in lower case
  std::string body = {};
};

class RawHttp {
 public:
  explicit RawHttp(const Endpoint& endpoint);
  ~RawHttp();
  RawHttp(const RawHttp&) = delete;
  RawHttp& operator=(const RawHttp&) = delete;

  // Tries once more on a connection that broke. Error: service_unavailable without any answer.
  Result<RawAnswer> request(const RawRequest& request);
  // Reads until `enough` says so of the body so far, the answer ends, or `limit` has passed.
  Result<RawAnswer> read_until(const RawRequest& request, Duration limit,
                               const std::function<bool(std::string_view body)>& enough);

 private:
  struct Handle;
  std::unique_ptr<Handle> with_identity_, bare_;
};

// Percent-encodes what a path must not hold, as the recordings' player does.
std::string encoded_path(std::string_view path);

}  // namespace keelson::app
