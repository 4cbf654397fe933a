// Port-forward over plain WebSocket channels, as the Python and JavaScript clients speak it: the
// ports stand in the query parameter `ports`; the n-th has the channels 2n (data, both ways) and
// 2n+1 (error), each opened by a message with the port in two bytes, little endian. A client cannot
// end one direction. Original: cri-streaming pkg/streaming/portforward/websocket.go.
#include <utility>

#include "api/http/websocket.h"
#include "api/sessions/outlet.h"
#include "api/sessions/remote_session.h"
#include "base/text.h"
#include "registry/errors.h"

namespace keelson::api {
namespace {

constexpr std::size_t kForwardedPortsMax = 100;  // channels are one byte

class PortChannels final : public std::enable_shared_from_this<PortChannels> {
 public:
  PortChannels(std::weak_ptr<SessionKeeper> keeper, std::unique_ptr<host::Stream> stream,
               bool base64, const std::vector<int>& ports)
      : keeper_(std::move(keeper)), base64_(base64), socket_(std::move(stream)) {
    for (const int port : ports)
      forwards_.push_back({.port = port, .done = false, .out = {}, .session = {}});
  }
  ~PortChannels() { end(); }

  void run(std::uint64_t id, const StartForward& start) {
    id_ = id;
    const std::weak_ptr<PortChannels> weak = weak_from_this();
    socket_.start({.on_message =
                       [weak](std::string_view message, bool) {
                         if (const auto self = weak.lock()) self->on_message(message);
                       },
                   .on_close =
                       [weak] {
                         if (const auto self = weak.lock()) self->end();
                       },
                   .on_drained =
                       [weak] {
                         const auto self = weak.lock();
                         if (!self) return;
                         for (const Forward& forward : self->forwards_) tell_drained(forward.out);
                       }});
    for (std::size_t i = 0; i < forwards_.size(); ++i) {
      const int port = forwards_[i].port;
      const char bytes[] = {static_cast<char>(port & 0xff), static_cast<char>(port >> 8)};
      send(2 * i, {bytes, 2});
      send(2 * i + 1, {bytes, 2});
    }
    for (std::size_t i = 0; i < forwards_.size() && !ended_; ++i) connect(i, start);
  }

 private:
  struct Forward {
    int port = 0;
    bool done = false;
    std::shared_ptr<Outlet> out;
    std::shared_ptr<cluster::Session> session;
  };

  void connect(std::size_t i, const StartForward& start) {
    const std::weak_ptr<PortChannels> weak = weak_from_this();
    const auto out = forwards_[i].out = std::make_shared<Outlet>();
    out->write = [weak, i](std::string_view bytes) {
      if (const auto self = weak.lock()) self->send(2 * i, bytes);
    };
    out->buffered = [weak] {
      const auto self = weak.lock();
      return self ? self->socket_.buffered() : 0;
    };
    auto session =
        start(forwards_[i].port, std::make_shared<OutletSink>(out), [weak, i](Result<void> done) {
          if (const auto self = weak.lock()) self->finish(i, done);
        });
    if (ended_ || forwards_[i].done || !session) return;  // it failed at once
    session->on_input_drained([weak] {
      if (const auto self = weak.lock()) self->socket_.pause(false);
    });
    forwards_[i].session = std::move(session);
  }

  void send(std::size_t channel, std::string_view bytes) {
    const char head = static_cast<char>(base64_ ? '0' + channel : channel);
    if (base64_) return socket_.send({&head, 1}, to_base64(bytes), false);
    socket_.send({&head, 1}, bytes);
  }

  void on_message(std::string_view message) {
    if (message.empty()) return;
    const std::size_t channel =
        static_cast<unsigned char>(message[0]) - (base64_ ? std::size_t{'0'} : 0);
    if (channel % 2 != 0 || channel / 2 >= forwards_.size()) return;
    const std::shared_ptr<cluster::Session> session = forwards_[channel / 2].session;
    if (!session) return;
    const std::string_view data = message.substr(1);
    if (base64_) {
      session->input(from_base64(data).value_or(""));
    } else {
      session->input(data);
    }
    if (session->input_buffered() > cluster::Sink::kBufferedMax) socket_.pause(true);
  }

  // The socket is closed with the last forward.
  void finish(std::size_t i, const Result<void>& done) {
    const auto self = shared_from_this();
    Forward& forward = forwards_[i];
    if (std::exchange(forward.done, true)) return;
    cut(forward.out);
    forward.session.reset();
    if (!done.ok()) send(2 * i + 1, done.error().message);
    for (const Forward& other : forwards_)
      if (!other.done) return;
    socket_.close(1000, "");
    end();
  }

  void end() {
    if (std::exchange(ended_, true)) return;
    for (Forward& forward : forwards_) {
      cut(forward.out);
      forward.session.reset();
    }
    if (const auto keeper = keeper_.lock()) keeper->remove(id_);
  }

  std::weak_ptr<SessionKeeper> keeper_;
  std::uint64_t id_ = 0;
  bool base64_, ended_ = false;
  WebSocket socket_;
  std::vector<Forward> forwards_;
};

}  // namespace

Result<std::vector<int>> parse_forwarded_ports(const std::vector<std::string>& values) {
  if (values.empty()) return registry::bad_request("query parameter \"port\" is required");
  std::vector<int> ports;
  for (const std::string& value : values) {
    for (const std::string& text : split(value, ',')) {
      const auto port = parse_int(text);
      if (!port || *port < 0 || *port > 65535)
        return registry::bad_request("cannot convert to []int32: \"" + text + "\" is no port");
      if (*port == 0) return registry::bad_request("port \"0\" must be > 0");
      if (ports.size() == kForwardedPortsMax) return registry::bad_request("too many ports");
      ports.push_back(static_cast<int>(*port));
    }
  }
  return ports;
}

void run_port_forward_channels(const std::shared_ptr<SessionKeeper>& keeper,
                               std::unique_ptr<host::Stream> stream, std::string_view protocol,
                               const std::vector<int>& ports, const StartForward& start) {
  const bool base64 = protocol.find("base64.") != std::string_view::npos;
  auto session = std::make_shared<PortChannels>(keeper, std::move(stream), base64, ports);
  session->run(keeper->add(session), start);
}

}  // namespace keelson::api
