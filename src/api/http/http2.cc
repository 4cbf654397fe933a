// One HTTP/2 connection on nghttp2, which does framing, header compression and flow control. Bodies
// of answers are pulled when the peer's window and our buffer have room. What many streams want to
// send in one turn of the loop leaves in one write.
#include <nghttp2/nghttp2.h>

#include <cstring>
#include <map>
#include <utility>

#include "api/http/http_connection.h"
#include "base/check.h"
#include "base/text.h"

namespace keelson::api {
namespace {

constexpr std::size_t kGatherBytes = 64 * 1024;
constexpr std::size_t kTurnBytes = 1024 * 1024;              // then others get their turn
constexpr std::size_t kArrivingBytesMax = 32 * 1024 * 1024;  // unfinished bodies of a connection
constexpr std::uint32_t kWindowBytes = 1024 * 1024;

class Http2Connection;

class Http2Responder final : public Responder {
 public:
  Http2Responder(std::weak_ptr<Http2Connection> connection, std::int32_t stream)
      : connection_(std::move(connection)), stream_(stream) {}
  ~Http2Responder() override;
  void respond(HttpResponse response) override;
  void on_cancel(std::function<void()> call) override {
    if (!answered_) on_cancel_ = std::move(call);
  }
  std::unique_ptr<host::Stream> upgrade(Headers) override { return nullptr; }
  void cancel() {
    answered_ = true;
    if (const auto call = std::exchange(on_cancel_, {})) call();
  }

 private:
  std::weak_ptr<Http2Connection> connection_;
  std::int32_t stream_;
  std::function<void()> on_cancel_;
  bool answered_ = false;
};

struct Exchange {
  HttpRequest request;
  Instant begun;
  std::size_t head_bytes = 0;
  bool expired = false;  // did not arrive in time
  bool head_only = false, dispatched = false, head_too_large = false;
  std::weak_ptr<Http2Responder> responder;
  HttpResponse response;
  std::string buffer;     // read from the body, not yet framed
  std::size_t taken = 0;  // of buffer or response.text
  bool finished = false, aborted = false;
};

class Http2Connection final : public Connection,
                              public std::enable_shared_from_this<Http2Connection> {
 public:
  Http2Connection(ConnectionContext context, std::unique_ptr<host::Stream> stream)
      : context_(std::move(context)),
        stream_(std::move(stream)),
        idle_since_(context_.loop.now()) {}
  ~Http2Connection() override {
    // Bodies and callbacks of open exchanges end before the session that they refer to.
    end_all();
    nghttp2_session_del(session_);
  }

  void start();
  std::optional<Instant> idle_since() const override {
    return exchanges_.empty() ? std::optional(idle_since_) : std::nullopt;
  }
  bool end_arriving(Instant before) override;
  void drain() override;
  void respond(std::int32_t id, HttpResponse response);

 private:
  static nghttp2_session_callbacks* callbacks();
  static Http2Connection& self_of(void* user) { return *static_cast<Http2Connection*>(user); }
  int on_begin_headers(const nghttp2_frame& frame);
  int on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value);
  int on_frame(const nghttp2_frame& frame);
  int on_body(std::int32_t id, std::string_view bytes);
  int on_stream_close(std::int32_t id);
  ssize_t read_body(std::int32_t id, std::uint8_t* out, std::size_t length, std::uint32_t& flags);
  void dispatch(std::int32_t id, Exchange& exchange);
  void on_data(std::string_view bytes);
  void on_end();
  void send();
  void send_later();
  void end_all();
  void close();
  Exchange* find(std::int32_t id) {
    const auto found = exchanges_.find(id);
    return found == exchanges_.end() ? nullptr : &found->second;
  }

  ConnectionContext context_;
  std::unique_ptr<host::Stream> stream_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Exchange> exchanges_;
  std::size_t arriving_bytes_ = 0;
  Instant idle_since_;
  bool sending_ = false, send_again_ = false, receiving_ = false, send_posted_ = false,
       closed_ = false;
};

Http2Responder::~Http2Responder() {
  if (answered_) return;
  if (const auto connection = connection_.lock())
    connection->respond(
        stream_, {500, {{"content-type", "text/plain; charset=utf-8"}}, "no answer was given\n"});
}

void Http2Responder::respond(HttpResponse response) {
  if (std::exchange(answered_, true)) return;
  on_cancel_ = {};
  if (const auto connection = connection_.lock()) connection->respond(stream_, std::move(response));
}

nghttp2_session_callbacks* Http2Connection::callbacks() {
  static nghttp2_session_callbacks* const callbacks = [] {
    nghttp2_session_callbacks* c = nullptr;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_begin_headers_callback(
        c, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
          return self_of(user).on_begin_headers(*frame);
        });
    nghttp2_session_callbacks_set_on_header_callback(
        c, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
              std::size_t name_length, const std::uint8_t* value, std::size_t value_length,
              std::uint8_t, void* user) {
          return self_of(user).on_header(*frame, {reinterpret_cast<const char*>(name), name_length},
                                         {reinterpret_cast<const char*>(value), value_length});
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        c, [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
          return self_of(user).on_frame(*frame);
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        c, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
              std::size_t length, void* user) {
          return self_of(user).on_body(id, {reinterpret_cast<const char*>(data), length});
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        c, [](nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
          return self_of(user).on_stream_close(id);
        });
    return c;
  }();
  return callbacks;
}

void Http2Connection::start() {
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  nghttp2_option_set_max_send_header_block_length(option, 1024 * 1024);
  KEELSON_CHECK(nghttp2_session_server_new2(&session_, callbacks(), this, option) == 0);
  nghttp2_option_del(option);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
       static_cast<std::uint32_t>(context_.limits.streams_max)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<std::uint32_t>(context_.limits.head_bytes_max)}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 4 * kWindowBytes);
  const std::weak_ptr<Http2Connection> weak = weak_from_this();
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
                        if (const auto self = weak.lock()) self->send();
                      }});
  send();
}

void Http2Connection::on_data(std::string_view bytes) {
  if (closed_) return;
  receiving_ = true;
  const ssize_t n = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  receiving_ = false;
  send();  // with the reason, if the peer broke the protocol
  if (n < 0) close();
}

void Http2Connection::on_end() {
  close();
}

int Http2Connection::on_begin_headers(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST)
    exchanges_[frame.hd.stream_id].begun = context_.loop.now();
  return 0;
}

int Http2Connection::on_header(const nghttp2_frame& frame, std::string_view name,
                               std::string_view value) {
  Exchange* exchange = find(frame.hd.stream_id);
  if (exchange == nullptr || exchange->dispatched) return 0;
  if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) return 0;  // trailer fields are not kept
  exchange->head_bytes += name.size() + value.size() + 32;
  if (exchange->head_bytes > context_.limits.head_bytes_max) {
    exchange->head_too_large = true;
    return 0;
  }
  HttpRequest& request = exchange->request;
  if (name == ":method") {
    request.method = value;
  } else if (name == ":path") {
    value = value.substr(0, value.find('#'));
    const std::size_t mark = value.find('?');
    request.path = value.substr(0, mark);
    if (mark != std::string_view::npos) request.query = value.substr(mark + 1);
  } else if (name == ":authority") {
    request.headers.add("host", std::string(value));
  } else if (!name.starts_with(':')) {
    request.headers.add(std::string(name), std::string(value));
  }
  return 0;
}

int Http2Connection::on_body(std::int32_t id, std::string_view bytes) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || exchange->dispatched) return 0;
  std::string& body = exchange->request.body;
  arriving_bytes_ += bytes.size();
  if (body.size() + bytes.size() > context_.limits.body_bytes_max ||
      arriving_bytes_ > kArrivingBytesMax) {
    // Answered at once; the rest is dropped.
    arriving_bytes_ -= std::min(arriving_bytes_, body.size() + bytes.size());
    body = {};
    exchange->request.body_too_large = true;
    dispatch(id, *exchange);
    return 0;
  }
  body.append(bytes);
  return 0;
}

int Http2Connection::on_frame(const nghttp2_frame& frame) {
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return 0;
  Exchange* exchange = find(frame.hd.stream_id);
  if (exchange == nullptr || exchange->dispatched) return 0;
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
    arriving_bytes_ -= std::min(arriving_bytes_, exchange->request.body.size());
    dispatch(frame.hd.stream_id, *exchange);
  } else if (frame.hd.type == NGHTTP2_HEADERS &&
             to_lower(exchange->request.headers.get("expect")) == "100-continue") {
    const std::string status = "100", name = ":status";
    nghttp2_nv field{reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                     reinterpret_cast<std::uint8_t*>(const_cast<char*>(status.data())), name.size(),
                     status.size(), NGHTTP2_NV_FLAG_NONE};
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, frame.hd.stream_id, nullptr, &field, 1,
                           nullptr);
  }
  return 0;
}

void Http2Connection::dispatch(std::int32_t id, Exchange& exchange) {
  exchange.dispatched = true;
  if (exchange.head_too_large) {
    respond(id, {431, {{"content-type", "text/plain; charset=utf-8"}}, "header too large\n"});
    return;
  }
  HttpRequest request = std::move(exchange.request);
  exchange.head_only = request.method == "HEAD";
  request.http2 = true;
  request.peer = stream_->peer();
  request.certificate = context_.certificate;
  const auto responder = std::make_shared<Http2Responder>(weak_from_this(), id);
  exchange.responder = responder;
  context_.handler(std::move(request), responder);
}

void Http2Connection::respond(std::int32_t id, HttpResponse response) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || closed_) return;
  exchange->response = std::move(response);
  HttpResponse& answer = exchange->response;
  const std::string code = std::to_string(answer.code);
  std::string length;
  const bool bodyless = answer.code == 204 || answer.code == 304;
  std::vector<nghttp2_nv> fields;
  const auto add = [&](std::string_view name, std::string_view value) {
    fields.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                      value.size(), NGHTTP2_NV_FLAG_NONE});
  };
  add(":status", code);
  for (const auto& [name, value] : answer.headers.fields()) add(name, value);
  if (!answer.body && !bodyless) {
    length = std::to_string(answer.text.size());
    add("content-length", length);
  }
  const bool empty = exchange->head_only || bodyless || (!answer.body && answer.text.empty());
  if (empty) answer.body.reset();
  if (answer.body) {
    answer.body->set_wake([weak = weak_from_this(), id] {
      const auto self = weak.lock();
      if (!self || self->closed_) return;
      nghttp2_session_resume_data(self->session_, id);
      self->send_later();
    });
  }
  nghttp2_data_provider provider{};
  provider.read_callback = [](nghttp2_session*, std::int32_t stream, std::uint8_t* out,
                              std::size_t room, std::uint32_t* flags, nghttp2_data_source*,
                              void* user) {
    return self_of(user).read_body(stream, out, room, *flags);
  };
  nghttp2_submit_response(session_, id, fields.data(), fields.size(), empty ? nullptr : &provider);
  send_later();
}

ssize_t Http2Connection::read_body(std::int32_t id, std::uint8_t* out, std::size_t length,
                                   std::uint32_t& flags) {
  Exchange* exchange = find(id);
  if (exchange == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  Exchange& e = *exchange;
  const bool text_only = e.response.body == nullptr && !e.finished;
  std::string& from = text_only ? e.response.text : e.buffer;
  if (!text_only && e.taken == e.buffer.size() && !e.finished) {
    e.buffer.clear();
    e.taken = 0;
    const Body::State state = e.response.body->read(e.buffer, kGatherBytes);
    if (state == Body::State::aborted) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (state == Body::State::waiting && e.buffer.empty()) return NGHTTP2_ERR_DEFERRED;
    e.finished = state == Body::State::finished;
  }
  const std::size_t n = std::min(length, from.size() - e.taken);
  std::memcpy(out, from.data() + e.taken, n);
  e.taken += n;
  if (e.taken == from.size() && (text_only || e.finished)) flags |= NGHTTP2_DATA_FLAG_EOF;
  // An empty piece of a body that goes on must not become an empty frame for ever.
  if (n == 0 && (flags & NGHTTP2_DATA_FLAG_EOF) == 0) return NGHTTP2_ERR_DEFERRED;
  return static_cast<ssize_t>(n);
}

int Http2Connection::on_stream_close(std::int32_t id) {
  const auto found = exchanges_.find(id);
  if (found == exchanges_.end()) return 0;
  // Taken out first: what ends with it may call back.
  auto node = exchanges_.extract(found);
  Exchange& exchange = node.mapped();
  if (!exchange.dispatched)
    arriving_bytes_ -= std::min(arriving_bytes_, exchange.request.body.size());
  if (const auto responder = exchange.responder.lock()) responder->cancel();
  if (exchanges_.empty()) idle_since_ = context_.loop.now();
  return 0;
}

void Http2Connection::send_later() {
  // Within a turn of receiving, on_data sends at its end.
  if (receiving_ || sending_ || closed_ || std::exchange(send_posted_, true)) return;
  context_.loop.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->send_posted_ = false;
      self->send();
    }
  });
}

void Http2Connection::send() {
  if (closed_) return;
  if (sending_) {
    send_again_ = true;
    return;
  }
  const auto self = shared_from_this();
  sending_ = true;
  std::size_t moved = 0;
  std::string out;
  while (stream_->buffered() < context_.limits.buffered_max && moved < kTurnBytes) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t n = nghttp2_session_mem_send(session_, &bytes);
    if (n <= 0) break;
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
    moved += static_cast<std::size_t>(n);
    if (out.size() < kGatherBytes) continue;
    stream_->write(out);
    out.clear();
  }
  stream_->write(out);
  sending_ = false;
  if (std::exchange(send_again_, false) || moved >= kTurnBytes) send_later();
  if (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0)
    close();
}

void Http2Connection::drain() {
  if (closed_) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  send();
}

bool Http2Connection::end_arriving(Instant before) {
  bool found = false;
  for (auto& [id, exchange] : exchanges_) {
    if (exchange.dispatched || exchange.begun >= before) continue;
    // Still there after it was ended: the peer does not read either.
    if (std::exchange(exchange.expired, true)) return false;
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    found = true;
  }
  if (found) send();
  return true;
}

void Http2Connection::end_all() {
  while (!exchanges_.empty()) on_stream_close(exchanges_.begin()->first);
}

void Http2Connection::close() {
  if (std::exchange(closed_, true)) return;
  end_all();
  context_.loop.post([self = shared_from_this()] {
    if (const auto call = std::exchange(self->context_.on_closed, {})) call();
  });
}

}  // namespace

std::shared_ptr<Connection> make_http2_connection(ConnectionContext context,
                                                  std::unique_ptr<host::Stream> stream) {
  auto connection = std::make_shared<Http2Connection>(std::move(context), std::move(stream));
  connection->start();
  return connection;
}

}  // namespace keelson::api
