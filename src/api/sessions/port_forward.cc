// Port-forward over SPDY streams, which come in pairs of one request id: "error" and "data".
// Original: client-go tools/portforward, cri-streaming pkg/streaming/portforward.
#include <utility>

#include "api/http/spdy.h"
#include "api/sessions/outlet.h"
#include "api/sessions/remote_session.h"
#include "base/text.h"

namespace keelson::api {
namespace {

class PortForward final : public std::enable_shared_from_this<PortForward> {
 public:
  PortForward(std::weak_ptr<SessionKeeper> keeper, std::unique_ptr<host::Stream> stream,
              StartForward start)
      : keeper_(std::move(keeper)), start_(std::move(start)), spdy_(std::move(stream)) {}
  ~PortForward() { end(); }

  void run(std::uint64_t id) {
    id_ = id;
    const std::weak_ptr<PortForward> weak = weak_from_this();
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
                       if (const auto self = weak.lock()) self->on_stream_end(stream);
                     },
                 .on_close =
                     [weak] {
                       if (const auto self = weak.lock()) self->end();
                     },
                 .on_drained =
                     [weak] {
                       const auto self = weak.lock();
                       if (!self) return;
                       for (const auto& [request, pair] : self->pairs_) tell_drained(pair.out);
                     }});
  }

 private:
  struct Pair {
    std::uint32_t error = 0, data = 0;
    int port = 0;
    std::string early;  // from the client, before the connection was started
    bool early_end = false;
    std::shared_ptr<Outlet> out;
    std::shared_ptr<cluster::Session> session;
  };

  void on_stream(std::uint32_t id, const SpdySession::StreamHeaders& headers) {
    const auto text = [&](const char* name) {
      const auto found = headers.find(name);
      return found == headers.end() ? std::string() : found->second;
    };
    const std::string type = text("streamtype");
    const auto port = parse_int(text("port"));
    if ((type != "error" && type != "data") || !port || *port < 1 || *port > 65535)
      return spdy_.reset(id);
    Pair& pair = pairs_[text("requestid")];
    (type == "error" ? pair.error : pair.data) = id;
    pair.port = static_cast<int>(*port);
    spdy_.accept(id);
    if (pair.error != 0 && pair.data != 0) connect(text("requestid"));
  }

  void connect(const std::string& request) {
    Pair& pair = pairs_[request];
    pair.out = std::make_shared<Outlet>();
    const std::weak_ptr<PortForward> weak = weak_from_this();
    const std::uint32_t data = pair.data;
    pair.out->write = [weak, data](std::string_view bytes) {
      if (const auto self = weak.lock()) self->spdy_.send(data, bytes);
    };
    pair.out->close = [weak, data] {
      if (const auto self = weak.lock()) self->spdy_.end(data);
    };
    pair.out->buffered = [weak] {
      const auto self = weak.lock();
      return self ? self->spdy_.buffered() : 0;
    };
    auto session = start_(pair.port, std::make_shared<OutletSink>(pair.out),
                          [weak, request](Result<void> done) {
                            if (const auto self = weak.lock()) self->finish(request, done);
                          });
    const auto found = pairs_.find(request);
    if (found == pairs_.end()) return;  // it failed at once
    found->second.session = session;
    if (!session) return;
    if (!found->second.early.empty()) session->input(std::exchange(found->second.early, {}));
    if (found->second.early_end) session->end_input();
  }

  Pair* by_data(std::uint32_t id) {
    for (auto& [request, pair] : pairs_)
      if (pair.data == id) return &pair;
    return nullptr;
  }

  void on_data(std::uint32_t id, std::string_view bytes) {
    Pair* pair = by_data(id);
    if (pair == nullptr) return;
    if (pair->session) {
      const std::shared_ptr<cluster::Session> session = pair->session;
      session->input(bytes);
    } else if (pair->early.size() + bytes.size() < cluster::Sink::kBufferedMax) {
      pair->early.append(bytes);
    }
  }

  void on_stream_end(std::uint32_t id) {
    Pair* pair = by_data(id);
    if (pair == nullptr) return;
    pair->early_end = true;
    if (const std::shared_ptr<cluster::Session> session = pair->session) session->end_input();
  }

  void finish(const std::string& request, const Result<void>& done) {
    const auto found = pairs_.find(request);
    if (found == pairs_.end()) return;
    const auto self = shared_from_this();
    Pair pair = std::move(found->second);
    pairs_.erase(found);
    cut(pair.out);
    if (!done.ok()) spdy_.send(pair.error, done.error().message);
    spdy_.end(pair.data);
    spdy_.end(pair.error);
  }

  void end() {
    if (std::exchange(ended_, true)) return;
    std::map<std::string, Pair> pairs;
    pairs.swap(pairs_);
    for (auto& [request, pair] : pairs) cut(pair.out);
    if (const auto keeper = keeper_.lock()) keeper->remove(id_);
  }

  std::weak_ptr<SessionKeeper> keeper_;
  std::uint64_t id_ = 0;
  StartForward start_;
  bool ended_ = false;
  SpdySession spdy_;
  std::map<std::string, Pair> pairs_;  // by request id
};

}  // namespace

void run_port_forward(const std::shared_ptr<SessionKeeper>& keeper,
                      std::unique_ptr<host::Stream> stream, StartForward start) {
  auto session = std::make_shared<PortForward>(keeper, std::move(stream), std::move(start));
  session->run(keeper->add(session));
}

}  // namespace keelson::api
