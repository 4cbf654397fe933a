// Bytes from the network, in pieces cut where the input says: the answer may be anything but an end
// of the server.
#include <memory>
#include <utility>

#include "api/http/http1_parser.h"
#include "api/http/http1_response.h"
#include "api/http/http_connection.h"
#include "api/http/spdy.h"
#include "api/http/test_stream.h"
#include "api/http/websocket.h"
#include "fuzz.h"
#include "host/virtual_loop.h"

namespace keelson::fuzz {
namespace {

// Pieces whose lengths the bytes themselves decide, so that one input is one course of events.
template <typename Take>
void in_pieces(std::string_view input, Take take) {
  std::size_t seed = input.size();
  while (!input.empty()) {
    seed = seed * 31 + static_cast<unsigned char>(input.front());
    const std::string_view piece = input.substr(0, 1 + seed % 97);
    take(piece);
    input.remove_prefix(piece.size());
  }
}

std::string described(const api::Http1Parser& parser) {
  using State = api::Http1Parser::State;
  switch (parser.state()) {
    case State::failed: return "failed " + std::to_string(parser.error_code());
    case State::complete: return "complete";
    case State::head:
    case State::body: break;
  }
  return "waiting";
}

void http1(std::string_view input) {
  api::HttpLimits limits;
  limits.head_bytes_max = 1024;
  limits.body_bytes_max = 512;
  api::Http1Parser whole(limits), cut(limits);
  const std::size_t used = whole.feed(input);
  expect(used <= input.size(), "no more is used than there is");
  std::size_t used_in_pieces = 0;
  in_pieces(input.substr(0, used),
            [&](std::string_view piece) { used_in_pieces += cut.feed(piece); });
  expect(described(whole) == described(cut), "cuts change nothing");
  api::Http1ResponseParser response(false);
  std::string body;
  in_pieces(input, [&](std::string_view piece) {
    if (!response.complete()) response.feed(piece, body);
  });
}

// A server that answers everything at once.
template <typename Make>
void converse(std::string_view input, Make make) {
  host::VirtualLoop loop;
  api::HttpLimits limits;
  limits.head_bytes_max = 1024;
  limits.body_bytes_max = 4096;
  const api::Handler handler = [](api::HttpRequest request,
                                  std::shared_ptr<api::Responder> responder) {
    responder->respond({200, {{"content-type", "text/plain"}}, request.path + request.body});
  };
  auto [near, far] = api::make_stream_pair();
  std::size_t received = 0;
  near->start({.on_data = [&](std::string_view bytes) { received += bytes.size(); },
               .on_end = [] {},
               .on_drained = {}});
  auto server = make(api::ConnectionContext{loop, limits, handler, nullptr, [] {}}, std::move(far));
  in_pieces(input, [&](std::string_view piece) {
    near->write(piece);
    loop.run_ready();
  });
  near.reset();
  loop.run_ready();
}

void http1_connection(std::string_view input) {
  converse(input, api::make_http1_connection);
}

void http2(std::string_view input) {
  converse(input, api::make_http2_connection);
}

void websocket(std::string_view input) {
  auto [near, far] = api::make_stream_pair();
  near->start({});
  api::WebSocket socket(std::move(far));
  socket.start({.on_message = [&](std::string_view message,
                                  bool binary) { socket.send("", message, binary); },
                .on_close = {},
                .on_drained = {}});
  in_pieces(input, [&](std::string_view piece) { near->write(piece); });
}

void spdy(std::string_view input) {
  auto [near, far] = api::make_stream_pair();
  near->start({});
  api::SpdySession session(std::move(far));
  session.start(
      {.on_stream =
           [&](std::uint32_t id, const api::SpdySession::StreamHeaders& headers) {
             if (headers.size() % 2 == 0)
               session.accept(id);
             else
               session.reset(id);
           },
       .on_data = [&](std::uint32_t id, std::string_view bytes) { session.send(id, bytes); },
       .on_end = [&](std::uint32_t id) { session.end(id); },
       .on_close = {},
       .on_drained = {}});
  in_pieces(input, [&](std::string_view piece) { near->write(piece); });
}

}  // namespace

std::vector<Target> connection_targets() {
  using namespace std::string_view_literals;
  const std::vector<std::string_view> http1_words = {"\r\n"sv,
                                                     "\r\n\r\n"sv,
                                                     "Content-Length: "sv,
                                                     "Transfer-Encoding: chunked\r\n"sv,
                                                     "0\r\n\r\n"sv,
                                                     "Host: h\r\n"sv,
                                                     "Connection: close\r\n"sv,
                                                     "Expect: 100-continue\r\n"sv,
                                                     "GET "sv,
                                                     " HTTP/1.1"sv,
                                                     " HTTP/1.0"sv,
                                                     "ffffffffffffffff"sv,
                                                     ";x=\""sv,
                                                     "HTTP/1.1 200 OK\r\n"sv};
  return {
      {"http1", http1, http1_words},
      {"http1-connection", http1_connection, http1_words},
      {"http2",
       http2,
       {"\0\0\0\4\0\0\0\0\0"sv, "\0\0\0\4\1\0\0\0\0"sv, "\0\0\4\x08\0\0\0\0\0\0\0\xff\xff"sv,
        "\0\0\5\2\0\0\0\0\1\0\0\0\0\1"sv, "\0\0\x04\3\0\0\0\0\1\0\0\0\x08"sv,
        "\0\0\x08\6\0\0\0\0\0pingping"sv, "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0"sv,
        "\0\0\3\1\5\0\0\0\3\x82\x86\x84"sv, "\0\0\2\0\1\0\0\0\1hi"sv,
        "\0\0\1\x09\4\0\0\0\1\x82"sv}},
      {"websocket",
       websocket,
       {"\x81\x80\0\0\0\0"sv, "\x82\xfe\0\x80"sv, "\x88\x80\0\0\0\0"sv, "\x89\x80\0\0\0\0"sv,
        "\x01\x81\0\0\0\0x"sv, "\x80\x81\0\0\0\0y"sv,
        "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"sv}},
      {"spdy",
       spdy,
       {"\x80\x03\0\1"sv, "\x80\x03\0\2"sv, "\x80\x03\0\3"sv, "\x80\x03\0\4"sv, "\x80\x03\0\6"sv,
        "\x80\x03\0\7"sv, "\0\0\0\1\1\0\0\0"sv, "\x78\xbb"sv}},
  };
}

}  // namespace keelson::fuzz
