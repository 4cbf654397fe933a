// Time limits as in kube-apiserver: 32 s for the handshake and for a request to arrive, 90 s
// without any request. Nobody has to be known for a connection, so that their number has a limit.
// One sweep looks at all connections instead of a timer for each.
#include "api/http/http_server.h"

#include <optional>
#include <utility>
#include <vector>

#include "api/http/http_connection.h"

namespace keelson::api {
namespace {
constexpr Duration kArriveLimit = Duration::seconds(32);
constexpr Duration kIdleLimit = Duration::seconds(90);
constexpr Duration kSweepEvery = Duration::seconds(8);
}  // namespace

struct HttpServer::State : std::enable_shared_from_this<State> {
  struct Slot {
    Instant accepted;
    std::shared_ptr<void> handshake;  // until it is done
    std::shared_ptr<Connection> connection;
  };

  host::Loop& loop;
  host::Sockets& sockets;
  Handler handler;
  HttpLimits limits;
  std::vector<std::unique_ptr<host::Listener>> listeners;
  std::shared_ptr<const TlsContext> tls;
  std::map<std::uint64_t, Slot> slots;
  std::uint64_t slots_made = 0;
  std::shared_ptr<void> sweep_timer, stop_timer;
  std::function<void()> stopped;

  State(host::Loop& l, host::Sockets& s, Handler h, HttpLimits limit)
      : loop(l), sockets(s), handler(std::move(h)), limits(limit) {}

  void serve(std::unique_ptr<host::Stream> stream, std::shared_ptr<const TlsContext> context) {
    if (!make_room()) return;  // with it the stream is closed
    const std::uint64_t id = ++slots_made;
    slots[id].accepted = loop.now();
    arm_sweep();
    if (!context) return begin(id, std::move(stream), {});
    const std::weak_ptr<State> weak = weak_from_this();
    slots[id].handshake =
        accept_tls(std::move(context), std::move(stream),
                   [weak, id](Result<std::unique_ptr<host::Stream>> plain, TlsPeer peer) {
                     const auto self = weak.lock();
                     if (!self) return;
                     if (!plain.ok()) return self->drop_later(id);
                     self->begin(id, std::move(plain).value(), std::move(peer));
                   });
  }

  void begin(std::uint64_t id, std::unique_ptr<host::Stream> stream, TlsPeer peer) {
    const auto found = slots.find(id);
    if (found == slots.end()) return;
    const std::weak_ptr<State> weak = weak_from_this();
    ConnectionContext context{loop, limits, handler, peer.certificate, [weak, id] {
                                if (const auto self = weak.lock()) self->drop(id);
                              }};
    auto connection = peer.protocol == "h2"
                          ? make_http2_connection(std::move(context), std::move(stream))
                          : make_http1_connection(std::move(context), std::move(stream));
    // The first request may have been answered already, and the map changed.
    const auto slot = slots.find(id);
    if (slot != slots.end()) slot->second.connection = std::move(connection);
  }

  // Room for one more, if need be in place of the one that has been idle for longest.
  bool make_room() {
    if (slots.size() < limits.connections_max) return true;
    std::optional<std::pair<Instant, std::uint64_t>> longest;
    for (const auto& [id, slot] : slots) {
      const std::optional<Instant> since =
          slot.connection ? slot.connection->idle_since() : std::optional(slot.accepted);
      if (since && (!longest || *since < longest->first)) longest = {*since, id};
    }
    if (!longest) return false;
    drop(longest->second);
    return true;
  }

  void drop(std::uint64_t id) {
    // Taken out first: what ends with it may call back.
    const auto node = slots.extract(id);
    if (slots.empty()) sweep_timer.reset();
    if (slots.empty() && stopped) {
      stop_timer.reset();
      loop.post(std::exchange(stopped, {}));
    }
  }
  void drop_later(std::uint64_t id) {
    loop.post([weak = weak_from_this(), id] {
      if (const auto self = weak.lock()) self->drop(id);
    });
  }

  void arm_sweep() {
    if (sweep_timer) return;
    sweep_timer = loop.call_at(loop.now() + kSweepEvery, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->sweep();
    });
  }

  void sweep() {
    sweep_timer.reset();
    const Instant now = loop.now();
    std::vector<std::uint64_t> late;
    for (auto& [id, slot] : slots) {
      if (!slot.connection) {
        if (now - slot.accepted > kArriveLimit) late.push_back(id);
        continue;
      }
      // Kept here: it may end of what it does.
      const std::shared_ptr<Connection> connection = slot.connection;
      const bool arrives = connection->end_arriving(now - kArriveLimit);
      const std::optional<Instant> idle = connection->idle_since();
      if (!arrives || (idle && now - *idle > kIdleLimit)) late.push_back(id);
    }
    for (const std::uint64_t id : late) drop(id);
    if (!slots.empty()) arm_sweep();
  }
};

HttpServer::HttpServer(host::Loop& loop, host::Sockets& sockets, Handler handler, HttpLimits limits)
    : state_(std::make_shared<State>(loop, sockets, std::move(handler), limits)) {}

HttpServer::~HttpServer() {
  state_->listeners.clear();
  state_->stopped = {};
  while (!state_->slots.empty()) state_->drop(state_->slots.begin()->first);
}

Result<int> HttpServer::listen(const std::string& address, int port,
                               std::shared_ptr<const TlsContext> context) {
  const bool encrypted = context != nullptr;
  if (encrypted) state_->tls = std::move(context);
  const std::weak_ptr<State> weak = state_;
  TRY(auto listener,
      state_->sockets.listen(address, port, [weak, encrypted](std::unique_ptr<host::Stream> s) {
        if (const auto self = weak.lock())
          self->serve(std::move(s), encrypted ? self->tls : nullptr);
      }));
  const int chosen = listener->port();
  state_->listeners.push_back(std::move(listener));
  return chosen;
}

void HttpServer::replace_tls(std::shared_ptr<const TlsContext> context) {
  state_->tls = std::move(context);
}

void HttpServer::serve(std::unique_ptr<host::Stream> stream,
                       std::shared_ptr<const TlsContext> context) {
  state_->serve(std::move(stream), std::move(context));
}

void HttpServer::stop(Duration limit, std::function<void()> done) {
  state_->listeners.clear();
  if (state_->slots.empty()) return state_->loop.post(std::move(done));
  state_->stopped = std::move(done);
  std::vector<std::uint64_t> shaking;
  std::vector<std::shared_ptr<Connection>> open;
  for (const auto& [id, slot] : state_->slots) {
    if (slot.connection)
      open.push_back(slot.connection);
    else
      shaking.push_back(id);
  }
  for (const std::uint64_t id : shaking) state_->drop(id);
  for (const auto& connection : open) connection->drain();
  state_->stop_timer =
      state_->loop.call_at(state_->loop.now() + limit, [weak = std::weak_ptr<State>(state_)] {
        const auto self = weak.lock();
        if (!self) return;
        const auto call = std::exchange(self->stopped, {});
        while (!self->slots.empty()) self->drop(self->slots.begin()->first);
        if (call) call();
      });
}

std::size_t HttpServer::connections() const {
  return state_->slots.size();
}

}  // namespace keelson::api
