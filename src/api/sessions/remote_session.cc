// Channels of exec: 0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize; 255 (v5) closes the channel
// that its second byte names. Original: apimachinery pkg/util/remotecommand, cri-streaming.
#include "api/sessions/remote_session.h"

#include <algorithm>
#include <utility>

#include "api/http/spdy.h"
#include "api/http/websocket.h"
#include "api/sessions/outlet.h"
#include "base/text.h"
#include "codec/json.h"

namespace keelson::api {
namespace {

using codec::Value;

constexpr char kStdin = 0, kStdout = 1, kStderr = 2, kError = 3, kResize = 4;
constexpr char kCloseChannel = '\xff';
constexpr std::string_view kWebSocketProtocols[] = {
    "v5.channel.k8s.io",        "v4.channel.k8s.io", "v3.channel.k8s.io",    "v2.channel.k8s.io",
    "v4.base64.channel.k8s.io", "channel.k8s.io",    "base64.channel.k8s.io"};
constexpr std::string_view kSpdyProtocols[] = {"v4.channel.k8s.io", "v3.channel.k8s.io",
                                               "v2.channel.k8s.io", "channel.k8s.io"};

bool has_status(std::string_view protocol) {
  return protocol.starts_with("v4.") || protocol.starts_with("v5.");
}

// The text of the error channel: a Status where the protocol has it, else only what went wrong.
std::string end_text(std::string_view protocol, const Result<int>& exit) {
  if (has_status(protocol)) return exec_status(exit);
  if (!exit.ok()) return exit.error().message;
  return *exit == 0 ? "" : "command terminated with non-zero exit code: " + std::to_string(*exit);
}

struct Size {
  int columns = 0, rows = 0;
};
std::optional<Size> parse_size(std::string_view text) {
  const auto value = codec::parse_json(text);
  if (!value.ok()) return std::nullopt;
  const auto columns = static_cast<int>((*value)["Width"].as_int());
  const auto rows = static_cast<int>((*value)["Height"].as_int());
  if (columns <= 0 || rows <= 0 || columns > 65535 || rows > 65535) return std::nullopt;
  return Size{columns, rows};
}

// ---- exec over WebSocket channels ----

class WebSocketExec final : public std::enable_shared_from_this<WebSocketExec> {
 public:
  WebSocketExec(std::weak_ptr<SessionKeeper> keeper, std::unique_ptr<host::Stream> stream,
                std::string protocol)
      : keeper_(std::move(keeper)),
        protocol_(std::move(protocol)),
        base64_(protocol_.find("base64.") != std::string::npos),
        socket_(std::move(stream)) {}
  ~WebSocketExec() { end(); }

  void run(std::uint64_t id, const cluster::ExecOptions& options, const StartExec& start) {
    id_ = id;
    const std::weak_ptr<WebSocketExec> weak = weak_from_this();
    cluster::ExecEvents events;
    if (options.stdout_) events.out = outlet(out_, kStdout);
    if (options.stderr_ && !options.terminal) events.err = outlet(err_, kStderr);
    events.on_exit = [weak](Result<int> exit) {
      if (const auto self = weak.lock()) self->on_exit(exit);
    };
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
                         tell_drained(self->out_);
                         tell_drained(self->err_);
                       }});
    // The original tells by an empty message that it is connected; some clients wait for it.
    send(events.out ? kStdout : events.err ? kStderr : kError, {});
    session_ = start(std::move(events));
    if (ended_) session_.reset();
    if (session_)
      session_->on_input_drained([weak] {
        if (const auto self = weak.lock()) self->socket_.pause(false);
      });
  }

 private:
  std::shared_ptr<cluster::Sink> outlet(std::shared_ptr<Outlet>& slot, char channel) {
    slot = std::make_shared<Outlet>();
    const std::weak_ptr<WebSocketExec> weak = weak_from_this();
    slot->write = [weak, channel](std::string_view bytes) {
      if (const auto self = weak.lock()) self->send(channel, bytes);
    };
    slot->close = [weak, channel] {
      const auto self = weak.lock();
      if (self && self->protocol_.starts_with("v5.")) {
        const char bytes[] = {kCloseChannel, channel};
        self->socket_.send({bytes, 2}, {});
      }
    };
    slot->buffered = [weak] {
      const auto self = weak.lock();
      return self ? self->socket_.buffered() : 0;
    };
    return std::make_shared<OutletSink>(slot);
  }

  void send(char channel, std::string_view bytes) {
    if (base64_) {
      const char digit = static_cast<char>('0' + channel);
      socket_.send({&digit, 1}, to_base64(bytes), false);
    } else {
      socket_.send({&channel, 1}, bytes);
    }
  }

  void on_message(std::string_view message) {
    if (message.empty() || !session_) return;
    char channel = message[0];
    std::string decoded;
    std::string_view data = message.substr(1);
    if (base64_) {
      channel = static_cast<char>(channel - '0');
      decoded = from_base64(data).value_or("");
      data = decoded;
    }
    const std::shared_ptr<cluster::Session> session = session_;
    if (channel == kStdin) {
      if (!data.empty()) session->input(data);
      if (session->input_buffered() > cluster::Sink::kBufferedMax) socket_.pause(true);
    } else if (channel == kResize) {
      if (const auto size = parse_size(data)) session->resize(size->columns, size->rows);
    } else if (channel == kCloseChannel && protocol_.starts_with("v5.") && !data.empty() &&
               data[0] == kStdin) {
      session->end_input();
    }
  }

  void on_exit(const Result<int>& exit) {
    const auto self = shared_from_this();
    const std::string text = end_text(protocol_, exit);
    if (!text.empty()) send(kError, text);
    socket_.close(1000, "");
    end();
  }

  void end() {
    if (std::exchange(ended_, true)) return;
    cut(out_);
    cut(err_);
    session_.reset();
    // Not at once: we may be inside one of our own callbacks.
    if (const auto keeper = keeper_.lock()) keeper->remove(id_);
  }

  std::weak_ptr<SessionKeeper> keeper_;
  std::uint64_t id_ = 0;
  std::string protocol_;
  bool base64_, ended_ = false;
  WebSocket socket_;
  std::shared_ptr<Outlet> out_, err_;
  std::shared_ptr<cluster::Session> session_;
};

// ---- exec over SPDY streams ----

class SpdyExec final : public std::enable_shared_from_this<SpdyExec> {
 public:
  SpdyExec(std::weak_ptr<SessionKeeper> keeper, std::unique_ptr<host::Stream> stream,
           std::string protocol, const cluster::ExecOptions& options, StartExec start)
      : keeper_(std::move(keeper)),
        protocol_(std::move(protocol)),
        options_(options),
        start_(std::move(start)),
        spdy_(std::move(stream)) {}
  ~SpdyExec() { end(); }

  void run(std::uint64_t id) {
    id_ = id;
    const std::weak_ptr<SpdyExec> weak = weak_from_this();
    spdy_.start({.on_stream =
                     [weak](std::uint32_t stream, const SpdySession::StreamHeaders& headers) {
                       if (const auto self = weak.lock()) self->on_stream(stream, headers);
                     },
                 .on_data =
                     [weak](std::uint32_t stream, std::string_view bytes) {
                       if (const auto self = weak.lock()) self->on_data(stream, bytes);
                     },
                 .on_end =
                     [weak](std::uint32_t stream) {
                       const auto self = weak.lock();
                       if (self && self->session_ && stream == self->streams_["stdin"])
                         self->session_->end_input();
                     },
                 .on_close =
                     [weak] {
                       if (const auto self = weak.lock()) self->end();
                     },
                 .on_drained =
                     [weak] {
                       const auto self = weak.lock();
                       if (!self) return;
                       tell_drained(self->out_);
                       tell_drained(self->err_);
                     }});
  }

 private:
  // How many streams the client opens before the command starts.
  std::size_t expected() const {
    std::size_t count = 1;  // error
    if (options_.stdin_) ++count;
    if (options_.stdout_) ++count;
    if (options_.stderr_ && !options_.terminal) ++count;
    const bool resize =
        options_.terminal && protocol_ != "v2.channel.k8s.io" && protocol_ != "channel.k8s.io";
    return count + (resize ? 1 : 0);
  }

  void on_stream(std::uint32_t id, const SpdySession::StreamHeaders& headers) {
    const auto type = headers.find("streamtype");
    static constexpr std::string_view known[] = {"error", "stdin", "stdout", "stderr", "resize"};
    if (type == headers.end() ||
        std::find(std::begin(known), std::end(known), type->second) == std::end(known)) {
      return spdy_.reset(id);
    }
    streams_[type->second] = id;
    spdy_.accept(id);
    if (streams_.size() < expected() || session_ || ended_) return;
    const std::weak_ptr<SpdyExec> weak = weak_from_this();
    cluster::ExecEvents events;
    if (streams_.contains("stdout")) events.out = outlet(out_, streams_["stdout"]);
    if (streams_.contains("stderr")) events.err = outlet(err_, streams_["stderr"]);
    events.on_exit = [weak](Result<int> exit) {
      if (const auto self = weak.lock()) self->on_exit(exit);
    };
    session_ = start_(std::move(events));
    if (ended_) session_.reset();
  }

  std::shared_ptr<cluster::Sink> outlet(std::shared_ptr<Outlet>& slot, std::uint32_t id) {
    slot = std::make_shared<Outlet>();
    const std::weak_ptr<SpdyExec> weak = weak_from_this();
    slot->write = [weak, id](std::string_view bytes) {
      if (const auto self = weak.lock()) self->spdy_.send(id, bytes);
    };
    slot->close = [weak, id] {
      if (const auto self = weak.lock()) self->spdy_.end(id);
    };
    slot->buffered = [weak] {
      const auto self = weak.lock();
      return self ? self->spdy_.buffered() : 0;
    };
    return std::make_shared<OutletSink>(slot);
  }

  void on_data(std::uint32_t id, std::string_view bytes) {
    if (!session_) return;
    const std::shared_ptr<cluster::Session> session = session_;
    if (id == streams_["stdin"]) {
      session->input(bytes);
    } else if (id == streams_["resize"]) {
      if (const auto size = parse_size(bytes)) session->resize(size->columns, size->rows);
    }
  }

  void on_exit(const Result<int>& exit) {
    const auto self = shared_from_this();
    spdy_.send(streams_["error"], end_text(protocol_, exit));
    for (const auto& [name, id] : streams_)
      if (id != 0) spdy_.end(id);
    spdy_.close();
    end();
  }

  void end() {
    if (std::exchange(ended_, true)) return;
    cut(out_);
    cut(err_);
    session_.reset();
    if (const auto keeper = keeper_.lock()) keeper->remove(id_);
  }

  std::weak_ptr<SessionKeeper> keeper_;
  std::uint64_t id_ = 0;
  std::string protocol_;
  cluster::ExecOptions options_;
  StartExec start_;
  bool ended_ = false;
  SpdySession spdy_;
  std::map<std::string, std::uint32_t> streams_;  // by type
  std::shared_ptr<Outlet> out_, err_;
  std::shared_ptr<cluster::Session> session_;
};

}  // namespace

std::uint64_t SessionKeeper::add(std::shared_ptr<void> session) {
  sessions_.emplace(++made_, std::move(session));
  return made_;
}

void SessionKeeper::clear() {
  std::map<std::uint64_t, std::shared_ptr<void>> sessions;
  sessions.swap(sessions_);
}

std::optional<std::string> choose_exec_protocol(const std::vector<std::string>& offered,
                                                bool websocket) {
  if (offered.empty()) return "";
  const auto offers = [&](std::string_view protocol) {
    return std::find(offered.begin(), offered.end(), protocol) != offered.end();
  };
  if (websocket) {
    for (const std::string_view protocol : kWebSocketProtocols)
      if (offers(protocol)) return std::string(protocol);
  } else {
    for (const std::string_view protocol : kSpdyProtocols)
      if (offers(protocol)) return std::string(protocol);
  }
  return std::nullopt;
}

void run_exec_websocket(const std::shared_ptr<SessionKeeper>& keeper,
                        std::unique_ptr<host::Stream> stream, const std::string& protocol,
                        const cluster::ExecOptions& options, const StartExec& start) {
  auto session = std::make_shared<WebSocketExec>(keeper, std::move(stream), protocol);
  session->run(keeper->add(session), options, start);
}

void run_exec_spdy(const std::shared_ptr<SessionKeeper>& keeper,
                   std::unique_ptr<host::Stream> stream, const std::string& protocol,
                   const cluster::ExecOptions& options, const StartExec& start) {
  auto session = std::make_shared<SpdyExec>(keeper, std::move(stream), protocol, options, start);
  session->run(keeper->add(session));
}

std::string exec_status(const Result<int>& exit) {
  Value status = Value::object({{"metadata", Value::object()}, {"status", "Success"}});
  if (!exit.ok()) {
    status.set("status", "Failure");
    status.set("message", exit.error().message);
    status.set("reason", "InternalError");
    status.set("code", 500);
  } else if (*exit != 0) {
    const std::string code = std::to_string(*exit);
    status.set("status", "Failure");
    status.set("reason", "NonZeroExitCode");
    status.set("message", "command terminated with non-zero exit code: exit status " + code);
    const Value cause = Value::object({{"reason", "ExitCode"}, {"message", code}});
    status.set("details", Value::object({{"causes", Value::array({cause})}}));
  }
  return codec::to_json(status);
}

}  // namespace keelson::api
