// Frames of a client are masked, those of a server are not; anything else is refused, as RFC 6455
// demands.
#include "api/http/websocket.h"

#include <openssl/sha.h>

#include <array>
#include <optional>
#include <utility>

#include "base/text.h"

namespace keelson::api {
namespace {

enum Opcode : unsigned {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};
constexpr int kProtocolError = 1002;
constexpr int kTooBig = 1009;

std::string frame_head(unsigned opcode, std::size_t length) {
  std::string head(1, static_cast<char>(0x80U | opcode));
  if (length < 126) {
    head += static_cast<char>(length);
  } else {
    const int bytes = length < 65536 ? 2 : 8;
    head += static_cast<char>(bytes == 2 ? 126 : 127);
    for (int i = bytes - 1; i >= 0; --i) head += static_cast<char>(length >> (8 * i));
  }
  return head;
}

}  // namespace

bool is_websocket_request(const HttpRequest& request) {
  return to_lower(request.headers.get("upgrade")) == "websocket" &&
         request.headers.has_token("connection", "upgrade") &&
         !request.headers.get("sec-websocket-key").empty();
}

std::vector<std::string> websocket_protocols(const HttpRequest& request) {
  std::vector<std::string> protocols;
  for (const std::string_view value : request.headers.all("sec-websocket-protocol"))
    for (const std::string& part : split(value, ','))
      if (!trim(part).empty()) protocols.emplace_back(trim(part));
  return protocols;
}

Headers websocket_answer(const HttpRequest& request, std::string_view protocol) {
  const std::string text = std::string(request.headers.get("sec-websocket-key")) +
                           "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  Headers headers{
      {"Upgrade", "websocket"},
      {"Connection", "Upgrade"},
      {"Sec-WebSocket-Accept", to_base64({reinterpret_cast<char*>(digest.data()), digest.size()})}};
  if (!protocol.empty()) headers.add("Sec-WebSocket-Protocol", std::string(protocol));
  return headers;
}

struct WebSocket::State : std::enable_shared_from_this<State> {
  std::unique_ptr<host::Stream> stream;
  Events events;
  std::string in;       // bytes not yet understood
  std::string message;  // fragments so far
  unsigned message_opcode = 0;
  bool closed = false, close_sent = false;

  void on_bytes(std::string_view bytes) {
    if (closed) return;
    const auto self = shared_from_this();
    in.append(bytes);
    std::size_t used = 0;
    while (!closed) {
      const std::size_t n = take_frame(std::string_view(in).substr(used));
      if (n == 0) break;
      used += n;
    }
    in.erase(0, used);
  }

  // Handles the first frame if it is whole; its length, 0 if it is not.
  std::size_t take_frame(std::string_view bytes) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    if (bytes.size() < 2) return 0;
    const bool last = (byte(0) & 0x80U) != 0;
    const unsigned opcode = byte(0) & 0x0fU;
    const bool control = opcode >= kClose;
    std::uint64_t length = byte(1) & 0x7fU;
    std::size_t at = 2;
    if ((byte(0) & 0x70U) != 0 || (byte(1) & 0x80U) == 0 || (control && (!last || length > 125)))
      return fail(kProtocolError, "malformed frame");
    if (length >= 126) {
      const std::size_t size = length == 126 ? 2 : 8;
      if (bytes.size() < at + size) return 0;
      length = 0;
      for (std::size_t i = 0; i < size; ++i) length = length << 8 | byte(at + i);
      at += size;
    }
    if (length > kMessageBytesMax || message.size() + length > kMessageBytesMax)
      return fail(kTooBig, "message too big");
    if (bytes.size() < at + 4 + length) return 0;
    const std::string_view mask = bytes.substr(at, 4);
    at += 4;
    std::string data(bytes.substr(at, length));
    for (std::size_t i = 0; i < data.size(); ++i)
      data[i] = static_cast<char>(data[i] ^ mask[i % 4]);
    handle(opcode, last, std::move(data));
    return at + length;
  }

  void handle(unsigned opcode, bool last, std::string data) {
    switch (opcode) {
      case kPing: return write(kPong, data, {});
      case kPong: return;
      case kClose:
        if (!std::exchange(close_sent, true))
          write(kClose, std::string_view(data).substr(0, std::min<std::size_t>(data.size(), 2)),
                {});
        return finish();
      case kContinuation:
        if (message_opcode == 0) return static_cast<void>(fail(kProtocolError, "no message"));
        break;
      case kText:
      case kBinary:
        if (message_opcode != 0) return static_cast<void>(fail(kProtocolError, "in a message"));
        message_opcode = opcode;
        break;
      default: return static_cast<void>(fail(kProtocolError, "unknown opcode"));
    }
    message.append(data);
    if (!last) return;
    const std::string whole = std::exchange(message, {});
    const bool binary = std::exchange(message_opcode, 0) == kBinary;
    if (const auto call = events.on_message) call(whole, binary);
  }

  void write(unsigned opcode, std::string_view head, std::string_view body) {
    if (closed) return;
    std::string out = frame_head(opcode, head.size() + body.size());
    out.append(head).append(body);
    stream->write(out);
  }

  std::size_t fail(int code, std::string_view why) {
    close(code, why);
    return 0;
  }

  void close(int code, std::string_view reason) {
    if (closed) return;
    if (!std::exchange(close_sent, true)) {
      const char bytes[] = {static_cast<char>(code >> 8), static_cast<char>(code)};
      write(kClose, {bytes, 2}, reason.substr(0, 120));
    }
    finish();
  }

  void finish() {
    if (std::exchange(closed, true)) return;
    stream->shutdown_write();
    if (const auto call = std::exchange(events.on_close, {})) call();
    events = {};
  }
};

WebSocket::WebSocket(std::unique_ptr<host::Stream> stream) : state_(std::make_shared<State>()) {
  state_->stream = std::move(stream);
}

WebSocket::~WebSocket() {
  state_->events = {};
  state_->closed = true;
  state_->stream.reset();
}

void WebSocket::start(Events events) {
  const std::shared_ptr<State> state = state_;
  state->events = std::move(events);
  const std::weak_ptr<State> weak = state;
  state->stream->start({.on_data =
                            [weak](std::string_view bytes) {
                              if (const auto self = weak.lock()) self->on_bytes(bytes);
                            },
                        .on_end =
                            [weak] {
                              if (const auto self = weak.lock()) self->finish();
                            },
                        .on_drained =
                            [weak] {
                              const auto self = weak.lock();
                              if (!self || self->closed) return;
                              if (const auto call = self->events.on_drained) call();
                            }});
}

void WebSocket::send(std::string_view head, std::string_view body, bool binary) {
  state_->write(binary ? kBinary : kText, head, body);
}

void WebSocket::close(int code, std::string_view reason) {
  const std::shared_ptr<State> state = state_;
  state->close(code, reason);
}

std::size_t WebSocket::buffered() const {
  return state_->stream ? state_->stream->buffered() : 0;
}

void WebSocket::pause(bool paused) {
  if (state_->stream) state_->stream->pause(paused);
}

namespace {

class WebSocketStream final : public host::Stream {
 public:
  explicit WebSocketStream(std::unique_ptr<host::Stream> stream)
      : peer_(stream->peer()), socket_(std::move(stream)) {}
  void start(Events events) override {
    socket_.start({.on_message =
                       [call = std::move(events.on_data)](std::string_view bytes, bool) {
                         if (call) call(bytes);
                       },
                   .on_close = std::move(events.on_end),
                   .on_drained = std::move(events.on_drained)});
  }
  void write(std::string_view bytes) override { socket_.send(bytes, {}); }
  std::size_t buffered() const override { return socket_.buffered(); }
  void pause(bool paused) override { socket_.pause(paused); }
  void shutdown_write() override { socket_.close(1000, ""); }
  std::string peer() const override { return peer_; }

 private:
  std::string peer_;
  WebSocket socket_;
};

}  // namespace

std::unique_ptr<host::Stream> make_websocket_stream(std::unique_ptr<host::Stream> stream) {
  return std::make_unique<WebSocketStream>(std::move(stream));
}

}  // namespace keelson::api
