// One connection for one request: "Connection: close" keeps both sides simple. Credentials of the
// API are not passed on.
#include "api/proxy.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "api/http1_response.h"
#include "api/outlet.h"
#include "base/text.h"

namespace keelson::api {
namespace {

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

std::string request_text(const HttpRequest& request, const std::string& path_and_query) {
  std::string out = request.method + " " + path_and_query +
                    " HTTP/1.1\r\nHost: " + std::string(request.headers.get("host")) +
                    "\r\nConnection: close\r\n";
  for (const auto& [name, value] : request.headers.fields())
    if (!is_dropped(name)) out += name + ": " + value + "\r\n";
  const std::string peer = request.peer.substr(0, request.peer.rfind(':'));
  if (!peer.empty()) out += "X-Forwarded-For: " + peer + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
    out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return out + "\r\n" + request.body;
}

class Proxied;

// What the pod has sent and the client has not taken.
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
  Proxied(std::weak_ptr<SessionKeeper> keeper, bool to_head_request,
          std::function<void(HttpResponse)> answer)
      : keeper_(std::move(keeper)), parser_(to_head_request), answer_(std::move(answer)) {}

  void run(std::uint64_t id, const std::string& text, int port, const StartForward& start) {
    id_ = id;
    const std::weak_ptr<Proxied> weak = weak_from_this();
    outlet_ = std::make_shared<Outlet>();
    outlet_->write = [weak](std::string_view bytes) {
      if (const auto self = weak.lock()) self->on_bytes(bytes);
    };
    outlet_->buffered = [weak] {
      const auto self = weak.lock();
      return self ? self->body_.size() : 0;
    };
    session_ = start(port, std::make_shared<OutletSink>(outlet_), [weak](Result<void> done) {
      if (const auto self = weak.lock()) self->on_done(done);
    });
    if (ended_) session_.reset();
    if (session_) session_->input(text);
  }

  Body::State take(std::string& out, std::size_t want) {
    const std::size_t n = std::min(want, body_.size());
    out.append(body_, 0, n);
    body_.erase(0, n);
    if (body_.size() < cluster::Sink::kBufferedMax) tell_drained(outlet_);
    if (!body_.empty()) return Body::State::more;
    if (broken_) return Body::State::aborted;
    return ended_ || parser_.complete() ? Body::State::finished : Body::State::waiting;
  }
  void end() {
    if (!std::exchange(ended_, true)) cut(outlet_);
    session_.reset();
    wake = {};
    if (const auto keeper = keeper_.lock()) keeper->remove(id_);
  }

  std::function<void()> wake;

 private:
  void on_bytes(std::string_view bytes) {
    const auto self = shared_from_this();
    if (!parser_.feed(bytes, body_)) return fail("malformed answer");
    if (parser_.has_head()) begin();
    if (const auto call = wake) call();
  }

  void begin() {
    if (!answer_) return;
    const auto answer = std::exchange(answer_, {});
    HttpResponse response{parser_.code(), {}, ""};
    for (const auto& [name, value] : parser_.headers().fields())
      if (!is_dropped(name)) response.headers.add(name, value);
    response.body = std::make_unique<ProxyBody>(shared_from_this());
    answer(std::move(response));
  }

  void on_done(const Result<void>& done) {
    const auto self = shared_from_this();
    if (ended_) return;
    if (!done.ok() && answer_) return fail(done.error().message);
    if (!parser_.finish()) return fail("the connection ended early");
    ended_ = true;
    if (const auto call = wake) call();
  }

  void fail(const std::string& why) {
    ended_ = true;
    broken_ = true;
    cut(outlet_);
    if (const auto answer = std::exchange(answer_, {})) {
      answer({502,
              {{"content-type", "text/plain; charset=utf-8"}},
              "error trying to reach service: " + why + "\n"});
      return end();
    }
    if (const auto call = wake) call();
  }

  std::weak_ptr<SessionKeeper> keeper_;
  std::uint64_t id_ = 0;
  Http1ResponseParser parser_;
  std::function<void(HttpResponse)> answer_;
  std::shared_ptr<Outlet> outlet_;
  std::shared_ptr<cluster::Session> session_;
  std::string body_;
  bool ended_ = false, broken_ = false;
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

ProxyTarget parse_proxy_target(std::string_view text) {
  const std::vector<std::string> parts = split(text, ':');
  if (parts.size() == 3) return {parts[0], parts[1], parts[2]};
  if (parts.size() == 2) return {"", parts[0], parts[1]};
  return {"", std::string(text), ""};
}

void run_proxy(const std::shared_ptr<SessionKeeper>& keeper, const HttpRequest& request,
               const std::string& path_and_query, int port, const StartForward& start,
               std::function<void(HttpResponse)> answer) {
  auto proxied = std::make_shared<Proxied>(keeper, request.method == "HEAD", std::move(answer));
  proxied->run(keeper->add(proxied), request_text(request, path_and_query), port, start);
}

}  // namespace keelson::api
