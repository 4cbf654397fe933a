// Just enough HTTP/1.1 for a stand-in: requests out of a buffer, answers into one; and just enough
// HTTP/2 to serve gRPC health checks. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace keelson::node {

struct HttpRequest {
  std::string method, path, body;  // path without the query
  bool keep_alive = true;
};

enum class HttpStep : unsigned char { incomplete, request, bad };
// Takes one request off the front of `buffer`. Heads above 64 KiB and bodies above 1 MiB are bad.
HttpStep take_request(std::string& buffer, HttpRequest& request);

std::string http_response(int code, std::string_view type, std::string_view body, bool keep_alive);

// An HTTP/2 connection without TLS that answers every gRPC call as a health check: SERVING.
class GrpcHealth {
 public:
  static bool is_preface(std::string_view bytes);      // the whole client preface
  static bool may_be_preface(std::string_view bytes);  // or the beginning of one
  // Consumes from `in`, appends to `out`. False: the connection is to be closed.
  bool converse(std::string& in, std::string& out, bool serving);

 private:
  bool greeted_ = false;
};

}  // namespace keelson::node
