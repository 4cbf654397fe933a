// One HTTP/1.1 connection. Requests are answered strictly one after the other; while one is being
// answered, what a pipelining client has sent ahead waits in the kernel. Bodies of answers are
// pulled only as fast as the peer takes them.
#include <utility>

#include "api/http/http1_parser.h"
#include "api/http/http_connection.h"
#include "base/check.h"

namespace keelson::api {
namespace {

constexpr std::size_t kPullBytes = 64 * 1024;
constexpr Duration kLinger = Duration::seconds(5);
constexpr std::size_t kTurnBytes = 1024 * 1024;  // then others get their turn

class Http1Connection;

// Survives the connection, so that late answers fall on nothing.
class Http1Responder final : public Responder {
 public:
  explicit Http1Responder(std::weak_ptr<Http1Connection> connection)
      : connection_(std::move(connection)) {}
  ~Http1Responder() override;
  void respond(HttpResponse response) override;
  void on_cancel(std::function<void()> call) override;
  std::unique_ptr<host::Stream> upgrade(Headers headers) override;
  // Only notice: an answer is still taken, the peer may have closed just its sending side.
  void cancel() {
    if (const auto call = std::exchange(on_cancel_, {})) call();
  }

 private:
  std::weak_ptr<Http1Connection> connection_;
  std::function<void()> on_cancel_;
  bool answered_ = false;
};

class UpgradedStream;

class Http1Connection final : public Connection,
                              public std::enable_shared_from_this<Http1Connection> {
 public:
  Http1Connection(ConnectionContext context, std::unique_ptr<host::Stream> stream)
      : context_(std::move(context)),
        stream_(std::move(stream)),
        parser_(context_.limits),
        idle_since_(context_.loop.now()) {}
  ~Http1Connection() override { close_exchange(); }

  void start() {
    const std::weak_ptr<Http1Connection> weak = weak_from_this();
    stream_->start({.on_data =
                        [weak](std::string_view bytes) {
                          if (const auto self = weak.lock()) self->on_data(bytes);
                        },
                    .on_end =
                        [weak] {
                          if (const auto self = weak.lock()) self->on_end();
                        },
                    .on_drained =
                        [weak] {
                          if (const auto self = weak.lock()) self->on_drained();
                        }});
  }

  std::optional<Instant> idle_since() const override {
    return answering_ || upgraded_ || body_ ? std::nullopt : std::optional(idle_since_);
  }
  bool end_arriving(Instant before) override {
    return answering_ || upgraded_ || body_ || parser_.is_empty() || arriving_since_ >= before;
  }
  void drain() override {
    draining_ = true;
    if (answering_ || upgraded_ || !parser_.is_empty()) return;
    close();
    // Nothing is under way that a peer could lose, so it need not say that it has understood.
    if (stream_->buffered() == 0)
      context_.loop.post([self = shared_from_this()] { self->report_closed(); });
  }

  void respond(HttpResponse response);
  std::unique_ptr<host::Stream> upgrade(const Headers& headers);
  void fail_unanswered() {
    respond({500, {{"content-type", "text/plain; charset=utf-8"}}, "no answer was given\n"});
  }

 private:
  friend class UpgradedStream;

  void on_data(std::string_view bytes);
  void on_end();
  void on_drained();
  void take_requests();
  void dispatch();
  void write_head(std::string& out, const HttpResponse& response);
  void pump();
  void finish_answer();
  void close();
  void close_exchange();
  void linger();
  void report_closed();

  ConnectionContext context_;
  std::unique_ptr<host::Stream> stream_;
  Http1Parser parser_;
  std::string ahead_;  // bytes behind the request that is being answered
  std::weak_ptr<Http1Responder> responder_;
  std::unique_ptr<Body> body_;
  Instant idle_since_, arriving_since_;  // the latter: if the parser has something
  bool answering_ = false, draining_ = false, closed_ = false, peer_ended_ = false;
  bool keep_alive_ = true, head_only_ = false, chunked_ = false, pumping_ = false;
  bool taking_ = false, upgraded_ = false, pump_posted_ = false;
  host::Stream::Events upgraded_events_;
  bool upgraded_started_ = false;
  std::shared_ptr<void> linger_timer_;
};

// What upgrade() gives away: the connection's stream, from now on without HTTP.
class UpgradedStream final : public host::Stream {
 public:
  explicit UpgradedStream(std::shared_ptr<Http1Connection> connection)
      : connection_(std::move(connection)) {}
  ~UpgradedStream() override {
    connection_->upgraded_events_ = {};
    connection_->close();
  }
  void start(Events events) override {
    connection_->upgraded_events_ = std::move(events);
    connection_->upgraded_started_ = true;
    const std::shared_ptr<Http1Connection> keep = connection_;
    if (const std::string early = std::exchange(keep->ahead_, {});
        !early.empty() && keep->upgraded_events_.on_data) {
      keep->upgraded_events_.on_data(early);
    }
    if (keep->upgraded_started_ && !keep->closed_) keep->stream_->pause(false);
  }
  void write(std::string_view bytes) override { connection_->stream_->write(bytes); }
  std::size_t buffered() const override { return connection_->stream_->buffered(); }
  void pause(bool paused) override { connection_->stream_->pause(paused); }
  void shutdown_write() override { connection_->stream_->shutdown_write(); }
  std::string peer() const override { return connection_->stream_->peer(); }

 private:
  std::shared_ptr<Http1Connection> connection_;
};

Http1Responder::~Http1Responder() {
  if (answered_) return;
  if (const auto connection = connection_.lock()) connection->fail_unanswered();
}

void Http1Responder::respond(HttpResponse response) {
  if (std::exchange(answered_, true)) return;
  on_cancel_ = {};
  if (const auto connection = connection_.lock()) connection->respond(std::move(response));
}

void Http1Responder::on_cancel(std::function<void()> call) {
  if (!answered_) on_cancel_ = std::move(call);
}

std::unique_ptr<host::Stream> Http1Responder::upgrade(Headers headers) {
  const auto connection = connection_.lock();
  if (!connection || answered_) return nullptr;
  answered_ = true;
  on_cancel_ = {};
  return connection->upgrade(headers);
}

void Http1Connection::on_data(std::string_view bytes) {
  if (closed_) return;
  if (upgraded_) {
    if (!upgraded_started_) {
      ahead_.append(bytes);
    } else if (const auto call = upgraded_events_.on_data) {
      call(bytes);
    }
    return;
  }
  ahead_.append(bytes);
  if (parser_.is_empty()) arriving_since_ = context_.loop.now();
  if (!answering_) take_requests();
  // Bounded: the rest of a pipeline waits in the kernel.
  if (answering_ && !closed_ && ahead_.size() > kPullBytes) stream_->pause(true);
}

void Http1Connection::take_requests() {
  if (std::exchange(taking_, true)) return;
  const auto self = shared_from_this();
  while (!answering_ && !closed_ && !upgraded_) {
    if (!ahead_.empty()) {
      const std::size_t used = parser_.feed(ahead_);
      ahead_.erase(0, used);
    }
    if (parser_.state() == Http1Parser::State::failed) {
      answering_ = true;
      keep_alive_ = false;
      const std::string text =
          std::to_string(parser_.error_code()) + " " + parser_.error_text() + "\n";
      respond({parser_.error_code(), {{"content-type", "text/plain; charset=utf-8"}}, text});
      break;
    }
    if (parser_.state() == Http1Parser::State::body && parser_.take_expect_continue())
      stream_->write("HTTP/1.1 100 Continue\r\n\r\n");
    if (parser_.state() != Http1Parser::State::complete) break;
    dispatch();
  }
  taking_ = false;
}

void Http1Connection::dispatch() {
  answering_ = true;
  keep_alive_ = parser_.keep_alive() && !draining_;
  HttpRequest request = std::move(parser_.request());
  head_only_ = request.method == "HEAD";
  request.peer = stream_->peer();
  request.certificate = context_.certificate;
  const auto responder = std::make_shared<Http1Responder>(weak_from_this());
  responder_ = responder;
  context_.handler(std::move(request), responder);
}

void Http1Connection::write_head(std::string& out, const HttpResponse& response) {
  out += "HTTP/1.1 ";
  out += std::to_string(response.code);
  out += ' ';
  out += reason_phrase(response.code);
  out += "\r\n";
  for (const auto& [name, value] : response.headers.fields()) {
    // As Go writes them: Content-Type, not content-type; some simple clients compare bytes.
    bool upper = true;
    for (const char c : name) {
      out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      upper = c == '-';
    }
    out += ": ";
    out += value;
    out += "\r\n";
  }
  if (response.body && chunked_) {
    out += "Transfer-Encoding: chunked\r\n";
  } else if (!response.body && response.code != 204 && response.code != 304) {
    out += "Content-Length: " + std::to_string(response.text.size()) + "\r\n";
  }
  if (!keep_alive_) {
    out += "Connection: close\r\n";
  } else if (parser_.version_1_0()) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
}

void Http1Connection::respond(HttpResponse response) {
  if (closed_ || !answering_) return;
  const auto self = shared_from_this();
  chunked_ = !parser_.version_1_0();
  if (response.body && !chunked_) keep_alive_ = false;
  std::string out;
  out.reserve(512 + response.text.size());
  write_head(out, response);
  if (response.body && !head_only_) {
    body_ = std::move(response.body);
    const std::weak_ptr<Http1Connection> weak = weak_from_this();
    body_->set_wake([weak] {
      if (const auto connection = weak.lock()) connection->pump();
    });
    stream_->write(out);
    if (peer_ended_) return close();
    pump();
    return;
  }
  if (!head_only_) out += response.text;
  stream_->write(out);
  finish_answer();
}

void Http1Connection::pump() {
  if (pumping_ || closed_) return;
  const auto self = shared_from_this();
  pumping_ = true;
  std::size_t moved = 0;
  while (body_ && !closed_ && stream_->buffered() < context_.limits.buffered_max) {
    if (moved > kTurnBytes) {
      if (!std::exchange(pump_posted_, true)) {
        context_.loop.post([weak = weak_from_this()] {
          if (const auto connection = weak.lock()) {
            connection->pump_posted_ = false;
            connection->pump();
          }
        });
      }
      break;
    }
    // The size of a chunk is known only after it: room for it is kept in front.
    constexpr std::size_t room = 10;
    std::string out(chunked_ ? room : 0, '0');
    const Body::State state = body_->read(out, kPullBytes);
    std::string_view text = out;
    if (chunked_) {
      const std::size_t size = out.size() - room;
      if (size > 0) {
        constexpr std::string_view digits = "0123456789abcdef";
        for (std::size_t i = 0; i < 8; ++i) out[i] = digits[size >> (28 - 4 * i) & 15];
        out[8] = '\r';
        out[9] = '\n';
        out += "\r\n";
        if (state == Body::State::finished) out += "0\r\n\r\n";
        text = out;
      } else {
        text = state == Body::State::finished ? std::string_view("0\r\n\r\n") : std::string_view();
      }
    }
    moved += text.size();
    stream_->write(text);
    if (state == Body::State::finished) {
      body_.reset();
      pumping_ = false;
      finish_answer();
      return;
    }
    if (state == Body::State::aborted) {
      close();
      break;
    }
    if (state == Body::State::waiting) break;
  }
  pumping_ = false;
}

void Http1Connection::finish_answer() {
  answering_ = false;
  idle_since_ = arriving_since_ = context_.loop.now();
  if (!keep_alive_ || draining_ || peer_ended_) return close();
  parser_.next();
  stream_->pause(false);
  if (!ahead_.empty()) take_requests();
}

void Http1Connection::on_drained() {
  if (closed_) {
    linger();
  } else if (upgraded_) {
    if (const auto call = upgraded_events_.on_drained) call();
  } else if (body_) {
    pump();
  }
}

void Http1Connection::on_end() {
  peer_ended_ = true;
  const auto self = shared_from_this();
  if (closed_) return linger();
  if (upgraded_) {
    if (const auto call = upgraded_events_.on_end) call();
    return;
  }
  // A client that only closed its sending side still gets a short answer; a stream it cannot want.
  if (!answering_ || body_) return close();
  if (const auto responder = responder_.lock()) responder->cancel();
}

std::unique_ptr<host::Stream> Http1Connection::upgrade(const Headers& headers) {
  if (closed_ || !answering_) return nullptr;
  std::string out = "HTTP/1.1 101 Switching Protocols\r\n";
  for (const auto& [name, value] : headers.fields()) out += name + ": " + value + "\r\n";
  out += "\r\n";
  stream_->write(out);
  upgraded_ = true;
  answering_ = false;
  return std::make_unique<UpgradedStream>(shared_from_this());
}

void Http1Connection::close_exchange() {
  body_.reset();
  if (const auto responder = responder_.lock(); responder && answering_) {
    answering_ = false;
    responder->cancel();
  }
}

void Http1Connection::close() {
  if (std::exchange(closed_, true)) return;
  close_exchange();
  stream_->shutdown_write();
  // Bytes that the peer still sends are read and dropped: closing on top of them would reset the
  // connection, and the peer could lose the answer.
  stream_->pause(false);
  linger_timer_ = context_.loop.call_at(context_.loop.now() + kLinger, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->report_closed();
  });
  linger();
}

void Http1Connection::linger() {
  if (peer_ended_ && stream_->buffered() == 0)
    context_.loop.post([self = shared_from_this()] { self->report_closed(); });
}

void Http1Connection::report_closed() {
  linger_timer_.reset();
  if (const auto call = std::exchange(context_.on_closed, {})) call();
}

}  // namespace

std::shared_ptr<Connection> make_http1_connection(ConnectionContext context,
                                                  std::unique_ptr<host::Stream> stream) {
  auto connection = std::make_shared<Http1Connection>(std::move(context), std::move(stream));
  connection->start();
  return connection;
}

}  // namespace keelson::api
