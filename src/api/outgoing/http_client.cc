#include "api/outgoing/http_client.h"

#include <algorithm>
#include <utility>

#include "api/http/http1_response.h"
#include "api/outgoing/dial.h"

namespace keelson::api {

namespace {

constexpr std::size_t kReplyMax = 16u << 20;

std::string text_of(const HttpCall& call) {
  const bool six = call.host.find(':') != std::string::npos;
  const std::string host = six ? "[" + call.host + "]" : call.host;
  std::string text = call.method + " " + call.target + " HTTP/1.1\r\nHost: " + host +
                     (call.port == 443 ? "" : ":" + std::to_string(call.port)) + "\r\n";
  for (const auto& [name, value] : call.headers.fields()) text += name + ": " + value + "\r\n";
  if (!call.body.empty() || call.method == "POST")
    text += "Content-Length: " + std::to_string(call.body.size()) + "\r\n";
  return text + "\r\n" + call.body;
}

}  // namespace

// A stream that outlives the calls that use it.
class HttpClient::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(HttpClient& client, Key key) : client_(client), key_(std::move(key)) {}

  void take(std::unique_ptr<host::Stream> stream) {
    stream_ = std::move(stream);
    const std::weak_ptr<Connection> weak = weak_from_this();
    stream_->start({.on_data =
                        [weak](std::string_view bytes) {
                          if (const auto self = weak.lock()) self->on_bytes(bytes);
                        },
                    .on_end =
                        [weak] {
                          if (const auto self = weak.lock()) self->on_end();
                        },
                    .on_drained = {}});
  }
  void use(const std::shared_ptr<Call>& call) { call_ = call; }
  void write(std::string_view text) { stream_->write(text); }
  // Nobody uses it for now.
  void rest(std::shared_ptr<void> timer) {
    call_.reset();
    timer_ = std::move(timer);
  }
  void wake() { timer_.reset(); }
  bool is_open() const { return !ended_; }

 private:
  void on_bytes(std::string_view bytes);
  void on_end();

  HttpClient& client_;
  Key key_;
  std::unique_ptr<host::Stream> stream_;
  std::weak_ptr<Call> call_;
  std::shared_ptr<void> timer_;
  bool ended_ = false;
};

class HttpClient::Call : public std::enable_shared_from_this<Call> {
 public:
  Call(HttpClient& client, HttpCall call, std::function<void(Result<HttpReply>)> done)
      : client_(client),
        call_(std::move(call)),
        key_(key_of(call_)),
        parser_(call_.method == "HEAD"),
        done_(std::move(done)) {}

  void run() {
    const std::weak_ptr<Call> weak = weak_from_this();
    timer_ = client_.loop_.call_at(client_.loop_.now() + call_.timeout, [weak] {
      if (const auto self = weak.lock()) self->fail("context deadline exceeded");
    });
    if (auto kept = client_.take_idle(key_)) {
      reused_ = true;
      connection_ = std::move(kept);
      return send();
    }
    dial();
  }

  void on_bytes(std::string_view bytes) {
    if (!done_) return;
    heard_ = true;
    if (!parser_.feed(bytes, body_)) return fail("net/http: malformed HTTP response");
    if (body_.size() > kReplyMax) return fail("response body too large");
    if (parser_.complete()) reply();
  }
  void on_end() {
    if (!done_) return;
    // The server closed a connection that it had kept, maybe before this request reached it.
    if (reused_ && !heard_) {
      reused_ = false;
      client_.loop_.post([old = std::move(connection_)] {});
      return dial();
    }
    if (!parser_.has_head() || !parser_.finish()) return fail("EOF");
    reply();
  }

 private:
  void dial() {
    const std::weak_ptr<Call> weak = weak_from_this();
    const auto self = shared_from_this();
    handle_ = dial_tls(dial_socket(client_.sockets_, call_.address, call_.port), call_.context,
                       call_.host)([weak](Result<std::unique_ptr<host::Stream>> stream) {
      const auto me = weak.lock();
      if (!me || !me->done_) return;
      if (!stream.ok()) return me->fail(stream.error().message);
      me->connection_ = std::make_shared<Connection>(me->client_, me->key_);
      me->connection_->take(std::move(*stream));
      me->send();
    });
  }
  void send() {
    connection_->use(shared_from_this());
    connection_->write(text_of(call_));
  }
  void reply() {
    HttpReply reply{parser_.code(), parser_.headers(), std::move(body_)};
    const bool stays = !parser_.until_end() &&
                       !parser_.headers().has_token("connection", "close") &&
                       connection_->is_open();
    finish(std::move(reply), stays);
  }
  void fail(const std::string& why) { finish(Error{Reason::internal_error, why}, false); }
  // In a turn of its own: the connection's own bytes may be what is being read.
  void finish(Result<HttpReply> result, bool stays) {
    if (!done_) return;
    timer_.reset();
    client_.loop_.post([self = shared_from_this(), stays,
                        alive = std::weak_ptr<int>(client_.alive_), done = std::exchange(done_, {}),
                        result = std::move(result)]() mutable {
      if (alive.expired()) return;
      auto connection = std::move(self->connection_);
      if (stays && connection && connection->is_open())
        self->client_.keep(self->key_, std::move(connection));
      self->client_.calls_.erase(self->id);
      done(std::move(result));
    });
  }

 public:
  std::uint64_t id = 0;

 private:
  HttpClient& client_;
  HttpCall call_;
  Key key_;
  Http1ResponseParser parser_;
  std::function<void(Result<HttpReply>)> done_;
  std::shared_ptr<void> timer_, handle_;
  std::shared_ptr<Connection> connection_;
  std::string body_;
  bool reused_ = false, heard_ = false;
};

void HttpClient::Connection::on_bytes(std::string_view bytes) {
  const auto self = shared_from_this();
  if (const auto call = call_.lock()) return call->on_bytes(bytes);
  on_end();  // what nobody asked for
}

void HttpClient::Connection::on_end() {
  const auto self = shared_from_this();
  ended_ = true;
  if (const auto call = call_.lock()) return call->on_end();
  client_.drop(key_, this);
}

HttpClient::~HttpClient() = default;

HttpClient::Key HttpClient::key_of(const HttpCall& call) {
  // A context is another one after its authorities or its key changed.
  return call.address + ' ' + std::to_string(call.port) + ' ' + call.host + ' ' +
         std::to_string(call.context->id());
}

std::size_t HttpClient::idle() const {
  std::size_t count = 0;
  for (const auto& [key, list] : idle_) count += list.size();
  return count;
}

std::shared_ptr<HttpClient::Connection> HttpClient::take_idle(const Key& key) {
  const auto found = idle_.find(key);
  if (found == idle_.end()) return nullptr;
  auto connection = std::move(found->second.back());
  found->second.pop_back();
  if (found->second.empty()) idle_.erase(found);
  connection->wake();
  return connection;
}

void HttpClient::keep(const Key& key, std::shared_ptr<Connection> connection) {
  std::vector<std::shared_ptr<Connection>>& list = idle_[key];
  if (list.size() >= kIdlePerServer) return;
  connection->rest(loop_.call_at(loop_.now() + kIdleMax,
                                 [this, key, weak = std::weak_ptr<Connection>(connection),
                                  alive = std::weak_ptr<int>(alive_)] {
                                   if (const auto old = weak.lock(); old && !alive.expired())
                                     drop(key, old.get());
                                 }));
  list.push_back(std::move(connection));
}

void HttpClient::drop(const Key& key, const Connection* connection) {
  const auto found = idle_.find(key);
  if (found == idle_.end()) return;
  std::shared_ptr<Connection> dropped;
  std::erase_if(found->second, [&](const std::shared_ptr<Connection>& one) {
    if (one.get() != connection) return false;
    dropped = one;
    return true;
  });
  if (found->second.empty()) idle_.erase(found);
  // Its stream may be on the stack.
  if (dropped) loop_.post([dropped] {});
}

void HttpClient::send(HttpCall call, std::function<void(Result<HttpReply>)> done) {
  auto made = std::make_shared<Call>(*this, std::move(call), std::move(done));
  made->id = next_++;
  calls_.emplace(made->id, made);
  made->run();
}

}  // namespace keelson::api
