#include "api/webhook_client.h"

#include <utility>

#include "api/http1_response.h"
#include "base/text.h"

namespace keelson::api {

namespace {

constexpr std::size_t kReplyMax = 16u << 20;
constexpr std::size_t kContextsMax = 256;

std::string text_of(const registry::WebhookCall& call) {
  const bool bare = call.port == 443;
  const bool six = call.host.find(':') != std::string::npos;
  const std::string host = six ? "[" + call.host + "]" : call.host;
  return "POST " + call.target + " HTTP/1.1\r\nHost: " + host +
         (bare ? "" : ":" + std::to_string(call.port)) +
         "\r\nUser-Agent: kube-apiserver-admission\r\nContent-Length: " +
         std::to_string(call.body.size()) +
         "\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\n"
         "Connection: close\r\n\r\n" +
         call.body;
}

// As Go says it: "dial tcp 10.0.0.1:443: connect: connection refused".
std::string dial_problem(const std::string& message) {
  const std::string_view head = "dial tcp ";
  if (!message.starts_with(head)) return "dial tcp: " + message;
  const std::size_t end = message.find(": ", head.size());
  if (end == std::string::npos) return message;
  return message.substr(0, end + 2) + "connect: " + message.substr(end + 2);
}

}  // namespace

class WebhookClient::Call : public std::enable_shared_from_this<Call> {
 public:
  Call(registry::WebhookCall call, std::function<void(registry::WebhookReply)> done)
      : call_(std::move(call)), done_(std::move(done)) {}

  void run(host::Loop& loop, host::Sockets& sockets, std::shared_ptr<const TlsContext> context) {
    const std::weak_ptr<Call> weak = weak_from_this();
    timer_ = loop.call_at(loop.now() + call_.timeout, [weak] {
      if (const auto self = weak.lock()) self->fail("context deadline exceeded");
    });
    sockets.connect(
        call_.address, call_.port,
        [weak, context = std::move(context)](Result<std::unique_ptr<host::Stream>> stream) {
          const auto self = weak.lock();
          if (!self || !self->done_) return;
          if (!stream.ok()) return self->fail(dial_problem(stream.error().message));
          self->shake(context, std::move(*stream));
        });
  }

  void fail(const std::string& why) {
    registry::WebhookReply reply;
    reply.problem = "Post " + quote(call_.url) + ": " + why;
    finish(std::move(reply));
  }

 private:
  void shake(const std::shared_ptr<const TlsContext>& context,
             std::unique_ptr<host::Stream> stream) {
    const std::weak_ptr<Call> weak = weak_from_this();
    handshake_ = connect_tls(context, call_.host, std::move(stream),
                             [weak](Result<std::unique_ptr<host::Stream>> secure, const TlsPeer&) {
                               const auto self = weak.lock();
                               if (!self || !self->done_) return;
                               if (!secure.ok()) return self->fail(secure.error().message);
                               self->send(std::move(*secure));
                             });
  }

  void send(std::unique_ptr<host::Stream> stream) {
    stream_ = std::move(stream);
    const std::weak_ptr<Call> weak = weak_from_this();
    stream_->start({.on_data =
                        [weak](std::string_view bytes) {
                          if (const auto self = weak.lock()) self->on_bytes(bytes);
                        },
                    .on_end =
                        [weak] {
                          if (const auto self = weak.lock()) self->on_end();
                        },
                    .on_drained = {}});
    stream_->write(text_of(call_));
  }

  void on_bytes(std::string_view bytes) {
    if (!done_) return;
    if (!parser_.feed(bytes, body_)) return fail("net/http: malformed HTTP response");
    if (body_.size() > kReplyMax) return fail("response body too large");
    if (parser_.complete()) reply();
  }
  void on_end() {
    if (!done_) return;
    if (!parser_.finish()) return fail("EOF");
    reply();
  }
  void reply() {
    registry::WebhookReply reply;
    reply.code = parser_.code();
    reply.content_type = parser_.headers().get("content-type");
    reply.body = std::move(body_);
    finish(std::move(reply));
  }
  void finish(registry::WebhookReply reply) {
    const auto self = shared_from_this();
    timer_.reset();
    if (const auto done = std::exchange(done_, {})) done(std::move(reply));
  }

  registry::WebhookCall call_;
  std::function<void(registry::WebhookReply)> done_;
  std::shared_ptr<void> timer_, handshake_;
  std::unique_ptr<host::Stream> stream_;
  Http1ResponseParser parser_{false};
  std::string body_;
};

Result<std::shared_ptr<const TlsContext>> WebhookClient::context_of(
    const std::string& authorities) {
  if (const auto found = contexts_.find(authorities); found != contexts_.end())
    return found->second;
  TRY(std::shared_ptr<const TlsContext> made, TlsContext::make_client(authorities));
  if (contexts_.size() >= kContextsMax) contexts_.clear();
  contexts_.emplace(authorities, made);
  return made;
}

void WebhookClient::post(registry::WebhookCall call,
                         std::function<void(registry::WebhookReply)> done) {
  const std::uint64_t id = next_++;
  auto context = context_of(call.ca_bundle);
  // The call is dropped in a turn of its own: it may be on the stack.
  auto made = std::make_shared<Call>(
      std::move(call), [this, id, alive = std::weak_ptr<int>(alive_),
                        done = std::move(done)](registry::WebhookReply reply) {
        if (alive.expired()) return;
        loop_.post([this, id, alive, done, reply = std::move(reply)]() mutable {
          if (alive.expired()) return;
          calls_.erase(id);
          done(std::move(reply));
        });
      });
  calls_.emplace(id, made);
  if (!context.ok()) return made->fail(context.error().message);
  made->run(loop_, sockets_, std::move(*context));
}

}  // namespace keelson::api
