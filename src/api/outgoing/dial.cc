#include "api/outgoing/dial.h"

#include <utility>

#include "api/sessions/outlet.h"

namespace keelson::api {

namespace {

// "dial tcp 10.0.0.1:443: connect: connection refused".
std::string dial_problem(const std::string& message) {
  const std::string_view head = "dial tcp ";
  if (!message.starts_with(head)) return "dial tcp: " + message;
  const std::size_t end = message.find(": ", head.size());
  if (end == std::string::npos) return message;
  return message.substr(0, end + 2) + "connect: " + message.substr(end + 2);
}

// A forwarded connection to a port of a pod, as a stream.
class ForwardStream final : public host::Stream {
 public:
  struct State {
    Events events;
    std::string waiting;
    std::shared_ptr<Outlet> outlet = std::make_shared<Outlet>();
    std::shared_ptr<cluster::Session> session;
    std::shared_ptr<std::string> problem;
    bool started = false, paused = false, ended = false, end_told = false;
  };

  ForwardStream(const StartForward& start, int port, std::shared_ptr<std::string> problem) {
    state_->problem = std::move(problem);
    const std::weak_ptr<State> weak = state_;
    state_->outlet->write = [weak](std::string_view bytes) {
      const auto state = weak.lock();
      if (!state) return;
      state->waiting.append(bytes);
      deliver(state);
    };
    state_->outlet->buffered = [weak] {
      const auto state = weak.lock();
      return state ? state->waiting.size() : 0;
    };
    const std::shared_ptr<State> state = state_;
    state->session =
        start(port, std::make_shared<OutletSink>(state->outlet), [weak](Result<void> done) {
          const auto self = weak.lock();
          if (!self) return;
          if (!done.ok() && self->problem) *self->problem = done.error().message;
          self->ended = true;
          deliver(self);
        });
    if (state->session)
      state->session->on_input_drained([weak] {
        const auto self = weak.lock();
        if (self && self->events.on_drained) self->events.on_drained();
      });
  }
  ~ForwardStream() override {
    cut(state_->outlet);
    state_->events = {};
    state_->session.reset();
  }
  void start(Events events) override {
    state_->events = std::move(events);
    state_->started = true;
    deliver(state_);
  }
  void write(std::string_view bytes) override {
    if (const auto session = state_->session) session->input(bytes);
  }
  std::size_t buffered() const override {
    return state_->session ? state_->session->input_buffered() : 0;
  }
  void pause(bool paused) override {
    state_->paused = paused;
    deliver(state_);
  }
  void shutdown_write() override {
    if (const auto session = state_->session) session->end_input();
  }
  std::string peer() const override { return "pod"; }

 private:
  static void deliver(std::shared_ptr<State> state) {
    while (state->started && !state->paused && !state->waiting.empty()) {
      const std::string bytes = std::exchange(state->waiting, {});
      if (const auto call = state->events.on_data) call(bytes);
      tell_drained(state->outlet);
    }
    if (state->started && !state->paused && state->ended && !std::exchange(state->end_told, true))
      if (const auto call = state->events.on_end) call();
  }

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// A connection on its way through TLS.
struct Shaking {
  std::shared_ptr<void> below, handshake;
  Dialed dialed;
};

}  // namespace

Dial dial_socket(host::Sockets& sockets, const std::string& address, int port) {
  return [&sockets, address, port](Dialed dialed) -> std::shared_ptr<void> {
    auto attempt = std::make_shared<Dialed>(std::move(dialed));
    sockets.connect(
        address, port,
        [weak = std::weak_ptr<Dialed>(attempt)](Result<std::unique_ptr<host::Stream>> stream) {
          const auto self = weak.lock();
          if (!self) return;
          const Dialed call = std::exchange(*self, {});
          if (stream.ok()) return call(std::move(stream));
          Error error = stream.error();
          error.message = dial_problem(error.message);
          call(std::move(error));
        });
    return attempt;
  };
}

Dial dial_pod(StartForward start, int port, std::shared_ptr<std::string> problem) {
  return [start = std::move(start), port, problem = std::move(problem)](const Dialed& dialed) {
    dialed(std::unique_ptr<host::Stream>(std::make_unique<ForwardStream>(start, port, problem)));
    return std::shared_ptr<void>();
  };
}

Dial dial_tls(Dial below, std::shared_ptr<const TlsContext> context, const std::string& host) {
  return [below = std::move(below), context = std::move(context),
          host](Dialed dialed) -> std::shared_ptr<void> {
    auto shaking = std::make_shared<Shaking>();
    shaking->dialed = std::move(dialed);
    const std::weak_ptr<Shaking> weak = shaking;
    shaking->below = below([weak, context, host](Result<std::unique_ptr<host::Stream>> stream) {
      const auto self = weak.lock();
      if (!self) return;
      if (!stream.ok()) return std::exchange(self->dialed, {})(std::move(stream));
      self->handshake =
          connect_tls(context, host, std::move(*stream),
                      [weak](Result<std::unique_ptr<host::Stream>> secure, const TlsPeer&) {
                        const auto shaken = weak.lock();
                        if (shaken && shaken->dialed)
                          std::exchange(shaken->dialed, {})(std::move(secure));
                      });
    });
    return shaking;
  };
}

}  // namespace keelson::api
