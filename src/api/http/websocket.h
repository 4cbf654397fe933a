// The server's side of a WebSocket (RFC 6455) on a stream that HTTP has handed over: whole messages
// in, messages out. Pings are answered, fragments joined, text checked no further. A peer that
// breaks the protocol is told why and closed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/http.h"
#include "host/sockets.h"

namespace keelson::api {

// Whether the request asks for a WebSocket.
bool is_websocket_request(const HttpRequest& request);
// The sub-protocols that the client offers, in its order.
std::vector<std::string> websocket_protocols(const HttpRequest& request);
// The headers of the 101 answer; protocol may be empty.
Headers websocket_answer(const HttpRequest& request, std::string_view protocol);

class WebSocket {
 public:
  struct Events {
    std::function<void(std::string_view message, bool binary)> on_message;
    std::function<void()> on_close;    // once; nothing comes after
    std::function<void()> on_drained;  // everything sent was taken by the kernel
  };
  static constexpr std::size_t kMessageBytesMax = 4 * 1024 * 1024;

  explicit WebSocket(std::unique_ptr<host::Stream> stream);
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  void start(Events events);
  // One message of two parts (a channel's byte and its data).
  void send(std::string_view head, std::string_view body, bool binary = true);
  void close(int code, std::string_view reason);
  std::size_t buffered() const;
  void pause(bool paused);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// A WebSocket's binary messages as a byte stream, for protocols tunnelled through it.
std::unique_ptr<host::Stream> make_websocket_stream(std::unique_ptr<host::Stream> stream);

}  // namespace keelson::api
