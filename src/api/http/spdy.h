// The server's side of SPDY/3.1, as far as Kubernetes' clients use it: many byte streams in both
// directions over one connection, each opened by the client with headers. Without flow control,
// like moby/spdystream, which those clients are built on. Original: draft-mbelshe-httpbis-spdy-00.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "host/sockets.h"

namespace keelson::api {

class SpdySession {
 public:
  using StreamHeaders = std::map<std::string, std::string>;  // names lower-case
  struct Events {
    // A stream was opened; answer with accept() or reset().
    std::function<void(std::uint32_t id, const StreamHeaders& headers)> on_stream;
    std::function<void(std::uint32_t id, std::string_view bytes)> on_data;
    std::function<void(std::uint32_t id)> on_end;  // the client sends no more on this stream
    std::function<void()> on_close;                // of the connection; nothing comes after
    std::function<void()> on_drained;
  };

  explicit SpdySession(std::unique_ptr<host::Stream> stream);
  ~SpdySession();
  SpdySession(const SpdySession&) = delete;
  SpdySession& operator=(const SpdySession&) = delete;

  void start(Events events);
  void accept(std::uint32_t id);
  void reset(std::uint32_t id);
  void send(std::uint32_t id, std::string_view bytes);
  void end(std::uint32_t id);  // we send no more on this stream
  void close();                // after what is buffered
  std::size_t buffered() const;
  void pause(bool paused);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace keelson::api
