// A parser of HTTP/1.1 responses, for what a pod behind the proxy sends: takes bytes in pieces,
// gives the head once and the body's bytes as they come. Bounded head; chunked, counted or
// until-the-end bodies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/http/http.h"

namespace keelson::api {

class Http1ResponseParser {
 public:
  // `upgrades`: 101 is an answer; what follows its head is then given as body.
  explicit Http1ResponseParser(bool to_head_request, bool upgrades = false)
      : bodyless_(to_head_request), upgrades_(upgrades) {}
  // Appends body bytes to `body`. False: malformed.
  bool feed(std::string_view bytes, std::string& body);
  // The connection ended: true if the response is whole.
  bool finish();
  bool has_head() const { return code_ != 0; }
  bool complete() const { return state_ == State::complete; }
  bool until_end() const { return ends_with_connection_; }  // nothing else ends the body
  int code() const { return code_; }
  const Headers& headers() const { return headers_; }

 private:
  enum class State : std::uint8_t {
    head,
    counted,
    until_end,
    size,
    data,
    data_end,
    trailer,
    complete
  };
  bool parse_head(std::string_view head);
  bool end_line();

  bool bodyless_, upgrades_, ends_with_connection_ = false;
  State state_ = State::head;
  int code_ = 0;
  Headers headers_;
  std::string buffer_;
  std::uint64_t left_ = 0;
};

}  // namespace keelson::api
