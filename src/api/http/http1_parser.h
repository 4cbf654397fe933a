// A strict parser of HTTP/1.1 requests (RFC 9112): takes bytes in pieces of any size, gives whole
// requests. What two parsers could read differently (bare line feeds in the head, spaces before a
// colon, both lengths, folded lines) is refused, so that nothing can be smuggled past a proxy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/http/http.h"

namespace keelson::api {

class Http1Parser {
 public:
  explicit Http1Parser(const HttpLimits& limits) : limits_(limits) {}

  enum class State : std::uint8_t {
    head,      // wants more of the request line and headers
    body,      // the head is complete, the body is not
    complete,  // request() holds a whole request; call next() to go on
    failed,    // error_code() and error_text() say why; nothing more is read
  };
  // Takes bytes until a request is complete; returns how many were used.
  std::size_t feed(std::string_view bytes);
  State state() const { return state_; }
  bool is_empty() const { return state_ == State::head && head_.empty(); }

  HttpRequest& request() { return request_; }
  // The client waits for "100 Continue" before it sends the body. True once.
  bool take_expect_continue();
  bool keep_alive() const { return keep_alive_; }
  bool version_1_0() const { return version_1_0_; }
  int error_code() const { return error_code_; }
  const std::string& error_text() const { return error_text_; }
  void next();

 private:
  enum class BodyKind : std::uint8_t { none, length, chunk_size, chunk_data, chunk_end, trailer };
  bool parse_head();
  bool parse_request_line(std::string_view line);
  bool parse_field(std::string_view line);
  bool choose_body();
  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  std::size_t feed_line(std::string_view bytes);
  bool end_line();
  void add_body(std::string_view bytes);
  bool fail(int code, std::string text);

  const HttpLimits& limits_;
  State state_ = State::head;
  BodyKind body_kind_ = BodyKind::none;
  std::string head_, line_;
  std::uint64_t body_left_ = 0;
  std::size_t trailer_bytes_ = 0;
  HttpRequest request_;
  bool keep_alive_ = true, version_1_0_ = false, expect_continue_ = false;
  int error_code_ = 0;
  std::string error_text_;
};

}  // namespace keelson::api
