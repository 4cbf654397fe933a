// One connection for one request: "Connection: close" keeps both sides simple. Credentials of the
// API are not passed on.
#include "api/outgoing/proxy.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "api/http/http1_response.h"
#include "base/text.h"

namespace keelson::api {
namespace {

constexpr std::size_t kBufferedMax = 256 * 1024;
constexpr std::array<std::string_view, 13> kDropped = {"connection",        "host",
                                                       "keep-alive",        "proxy-authorization",
                                                       "proxy-connection",  "te",
                                                       "trailer",           "upgrade",
                                                       "transfer-encoding", "content-length",
                                                       "authorization",     "expect",
                                                       "proxy-authenticate"};

bool is_dropped(std::string_view name) {
  return std::find(kDropped.begin(), kDropped.end(), name) != kDropped.end() ||
         name.starts_with("impersonate-");
}

// What no value of a header field has.
bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

bool is_upgrade(const HttpRequest& request) {
  return request.headers.has_token("connection", "upgrade") && request.headers.has("upgrade");
}

std::string request_text(const HttpRequest& request, const Forwarding& plan) {
  const std::string host = plan.host.empty() ? std::string(request.headers.get("host")) : plan.host;
  std::string out = request.method + " " + plan.path_and_query + " HTTP/1.1\r\nHost: " + host;
  out += is_upgrade(request) ? "\r\nConnection: Upgrade\r\nUpgrade: " +
                                   std::string(request.headers.get("upgrade")) + "\r\n"
                             : "\r\nConnection: close\r\n";
  for (const auto& [name, value] : request.headers.fields()) {
    const bool replaced = plan.headers.has(name) ||
                          std::any_of(plan.dropped.begin(), plan.dropped.end(),
                                      [&](const auto& head) { return name.starts_with(head); });
    if (!is_dropped(name) && !replaced) out += name + ": " + value + "\r\n";
  }
  for (const auto& [name, value] : plan.headers.fields()) out += name + ": " + value + "\r\n";
  const std::string peer = request.peer.substr(0, request.peer.rfind(':'));
  if (!peer.empty()) out += "X-Forwarded-For: " + peer + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
    out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return out + "\r\n" + request.body;
}

class Proxied;

// What the server has sent and the client has not taken.
class ProxyBody final : public Body {
 public:
  explicit ProxyBody(std::shared_ptr<Proxied> proxied);
  ~ProxyBody() override;
  State read(std::string& out, std::size_t want) override;

 private:
  std::shared_ptr<Proxied> proxied_;
};

class Proxied final : public std::enable_shared_from_this<Proxied> {
 public:
  Proxied(std::weak_ptr<SessionKeeper> keeper, const HttpRequest& request, Forwarding plan,
          ForwardEvents events)
      : keeper_(std::move(keeper)),
        parser_(request.method == "HEAD", is_upgrade(request)),
        text_(request_text(request, plan)),
        plan_(std::move(plan)),
        events_(std::move(events)) {}

  void run(std::uint64_t id) {
    id_ = id;
    const auto keep = shared_from_this();
    // A user's name comes from an issuer's claims, say: a line break in it would be a header of its
    // own, such as another group.
    for (const auto& [name, value] : plan_.headers.fields())
      if (std::any_of(value.begin(), value.end(), is_control))
        return fail("net/http: invalid header field value for " + quote(name));
    const std::weak_ptr<Proxied> weak = keep;
    if (plan_.loop != nullptr && plan_.head_limit)
      timer_ = plan_.loop->call_at(plan_.loop->now() + *plan_.head_limit, [weak] {
        if (const auto self = weak.lock()) self->fail("context deadline exceeded");
      });
    auto handle = plan_.dial([weak](Result<std::unique_ptr<host::Stream>> stream) {
      const auto self = weak.lock();
      if (!self || self->ended_) return;
      if (!stream.ok()) return self->fail(stream.error().message);
      self->begin(std::move(*stream));
    });
    if (!ended_) handle_ = std::move(handle);
  }

  Body::State take(std::string& out, std::size_t want) {
    const std::size_t n = std::min(want, body_.size());
    out.append(body_, 0, n);
    body_.erase(0, n);
    if (body_.size() < kBufferedMax && std::exchange(paused_, false) && stream_) {
      const auto self = shared_from_this();
      stream_->pause(false);
    }
    if (!body_.empty()) return Body::State::more;
    if (broken_) return Body::State::aborted;
    return ended_ || parser_.complete() ? Body::State::finished : Body::State::waiting;
  }
  // The client is gone, or has all.
  void end() {
    const auto self = shared_from_this();
    ended_ = true;
    events_ = {};
    wake = {};
    let_go();
    if (const auto keeper = keeper_.lock()) keeper->remove(id_);
  }

  std::function<void()> wake;

 private:
  void begin(std::unique_ptr<host::Stream> stream) {
    stream_ = std::move(stream);
    const std::weak_ptr<Proxied> weak = weak_from_this();
    stream_->start({.on_data =
                        [weak](std::string_view bytes) {
                          if (const auto self = weak.lock()) self->on_bytes(bytes);
                        },
                    .on_end =
                        [weak] {
                          if (const auto self = weak.lock()) self->on_end();
                        },
                    .on_drained =
                        [weak] {
                          const auto self = weak.lock();
                          if (self && self->client_) self->client_->pause(false);
                        }});
    if (stream_) stream_->write(std::exchange(text_, {}));
  }

  void on_bytes(std::string_view bytes) {
    const auto self = shared_from_this();
    if (ended_) return;
    if (client_) return to_client(bytes);
    if (!parser_.feed(bytes, body_)) return fail("malformed HTTP response");
    if (parser_.has_head()) answer();
    if (body_.size() > kBufferedMax && stream_ && !std::exchange(paused_, true))
      stream_->pause(true);
    if (const auto call = wake) call();
  }

  void answer() {
    if (!events_.answer) return;
    timer_.reset();
    if (parser_.code() == 101) return upgrade();
    const ForwardEvents events = std::exchange(events_, {});
    const int code = parser_.code();
    if (plan_.no_redirects && code >= 300 && code <= 399 && parser_.headers().has("location")) {
      events.answer(
          {502, {}, "the backend attempted to redirect this request, which is not permitted"});
      return end();
    }
    HttpResponse response{code, {}, ""};
    for (const auto& [name, value] : parser_.headers().fields())
      if (!is_dropped(name) && name != "audit-id") response.headers.add(name, value);
    response.body = std::make_unique<ProxyBody>(shared_from_this());
    events.answer(std::move(response));
  }

  // From now on bytes go both ways as they are.
  void upgrade() {
    const ForwardEvents events = std::exchange(events_, {});
    Headers headers;
    for (const auto& [name, value] : parser_.headers().fields()) headers.add(name, value);
    client_ = events.upgrade ? events.upgrade(std::move(headers)) : nullptr;
    if (!client_) {
      events.answer({400, {}, "unable to upgrade this connection"});
      return end();
    }
    const std::weak_ptr<Proxied> weak = weak_from_this();
    client_->start({.on_data =
                        [weak](std::string_view bytes) {
                          if (const auto self = weak.lock()) self->to_server(bytes);
                        },
                    .on_end =
                        [weak] {
                          if (const auto self = weak.lock()) self->end();
                        },
                    .on_drained =
                        [weak] {
                          const auto self = weak.lock();
                          if (self && self->stream_) self->stream_->pause(false);
                        }});
    if (!body_.empty()) to_client(std::exchange(body_, {}));
  }
  void to_client(std::string_view bytes) {
    if (!client_) return;
    client_->write(bytes);
    if (client_ && client_->buffered() > kBufferedMax && stream_) stream_->pause(true);
  }
  void to_server(std::string_view bytes) {
    const auto self = shared_from_this();
    if (!stream_) return;
    stream_->write(bytes);
    if (stream_ && stream_->buffered() > kBufferedMax && client_) client_->pause(true);
  }

  void on_end() {
    const auto self = shared_from_this();
    if (ended_) return;
    if (client_) return end();
    if (events_.answer && plan_.problem && !plan_.problem->empty()) return fail(*plan_.problem);
    if (!parser_.has_head()) return fail("EOF");
    broken_ = !parser_.finish();
    ended_ = true;
    if (const auto call = wake) call();
  }

  void fail(const std::string& why) {
    const auto self = shared_from_this();
    ended_ = true;
    broken_ = true;
    timer_.reset();
    if (const auto refuse = std::exchange(events_, {}).refuse) {
      refuse("error trying to reach service: " + why);
      return end();
    }
    if (const auto call = wake) call();
  }

  // The streams may be what is calling us.
  void let_go() {
    timer_.reset();
    handle_.reset();
    auto stream = std::shared_ptr<host::Stream>(std::move(stream_));
    auto client = std::shared_ptr<host::Stream>(std::move(client_));
    if (plan_.loop != nullptr && (stream || client)) plan_.loop->post([stream, client] {});
  }

  std::weak_ptr<SessionKeeper> keeper_;
  std::uint64_t id_ = 0;
  Http1ResponseParser parser_;
  std::string text_;
  Forwarding plan_;
  ForwardEvents events_;
  std::shared_ptr<void> timer_, handle_;
  std::unique_ptr<host::Stream> stream_, client_;
  std::string body_;
  bool ended_ = false, broken_ = false, paused_ = false;
};

ProxyBody::ProxyBody(std::shared_ptr<Proxied> proxied) : proxied_(std::move(proxied)) {
  proxied_->wake = [this] { wake(); };
}

ProxyBody::~ProxyBody() {
  const std::shared_ptr<Proxied> proxied = std::move(proxied_);
  proxied->end();
}

Body::State ProxyBody::read(std::string& out, std::size_t want) {
  return proxied_->take(out, want);
}

}  // namespace

std::optional<ProxyTarget> parse_proxy_target(std::string_view text) {
  const std::vector<std::string> parts = split(text, ':');
  if (parts.size() == 3 && (parts[0] == "http" || parts[0] == "https" || parts[0].empty()))
    return ProxyTarget{parts[0], parts[1], parts[2]};
  if (parts.size() == 2) return ProxyTarget{"", parts[0], parts[1]};
  if (parts.size() == 1) return ProxyTarget{"", std::string(text), ""};
  return std::nullopt;
}

std::function<void()> forward(const std::shared_ptr<SessionKeeper>& keeper,
                              const HttpRequest& request, Forwarding plan, ForwardEvents events) {
  auto proxied = std::make_shared<Proxied>(keeper, request, std::move(plan), std::move(events));
  const std::weak_ptr<Proxied> weak = proxied;
  proxied->run(keeper->add(proxied));
  return [weak] {
    if (const auto self = weak.lock()) self->end();
  };
}

}  // namespace keelson::api
