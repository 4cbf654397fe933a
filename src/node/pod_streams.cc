// Logs are read from the file by a timer while somebody follows; the rest is the driver's.
#include "node/pod_streams.h"

#include <utility>

#include "base/text.h"
#include "model/meta.h"
#include "node/log_reader.h"
#include "node/pod_spec.h"

namespace keelson::node {
namespace {

constexpr Duration kFollowPause = Duration::milliseconds(100);

const Value& status_of(const Value& pod, std::string_view container) {
  static const Value none;
  for (const std::string_view list :
       {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"})
    for (const Value& status : pod["status"][list].elements())
      if (status["name"].as_string() == container) return status;
  return none;
}

class LogSession : public std::enable_shared_from_this<LogSession> {
 public:
  LogSession(host::Loop& loop, std::string path, cluster::LogOptions options,
             std::shared_ptr<cluster::Sink> sink, std::function<bool()> is_running,
             std::function<void(Result<void>)> done)
      : loop_(loop),
        reader_(std::move(path), options),
        follow_(options.follow),
        sink_(std::move(sink)),
        is_running_(std::move(is_running)),
        done_(std::move(done)) {}

  void begin() {
    if (const Result<void> opened = reader_.open(); !opened.ok()) {
      const auto done = std::exchange(done_, nullptr);
      return done(opened);
    }
    pump();
  }

 private:
  void pump() {
    const auto self = shared_from_this();
    // Asked before reading: what is written until the end is read after it.
    const bool was_running = follow_ && is_running_();
    while (true) {
      const std::string text = reader_.next();
      if (text.empty()) break;
      sink_->write(text);
      if (sink_->buffered() > cluster::Sink::kBufferedMax) {
        sink_->on_drained([weak = weak_from_this()] {
          if (const auto own = weak.lock()) own->pump();
        });
        return;
      }
    }
    if (!was_running || reader_.reached_limit()) {
      if (const auto done = std::exchange(done_, nullptr)) done(Result<void>());
      return;
    }
    timer_ = loop_.call_at(loop_.now() + kFollowPause, [weak = weak_from_this()] {
      if (const auto own = weak.lock()) own->pump();
    });
  }

  host::Loop& loop_;
  LogReader reader_;
  bool follow_;
  std::shared_ptr<cluster::Sink> sink_;
  std::function<bool()> is_running_;
  std::function<void(Result<void>)> done_;
  std::shared_ptr<void> timer_;
};

class ForwardSession : public cluster::Session,
                       public std::enable_shared_from_this<ForwardSession> {
 public:
  ForwardSession(host::Loop& loop, std::shared_ptr<cluster::Sink> out,
                 std::function<void(Result<void>)> done)
      : loop_(loop), out_(std::move(out)), done_(std::move(done)) {}
  ~ForwardSession() override {
    // The stream may be the one that is calling us.
    if (stream_) loop_.post([stream = std::shared_ptr<host::Stream>(std::move(stream_))] {});
  }

  void begin(host::Sockets& sockets, int port, const std::string& address,
             const std::string& network_namespace) {
    const std::string lead = "failed to connect to localhost:" + std::to_string(port) +
                             " inside namespace " + quote(network_namespace) + ", IPv4: ";
    sockets.connect(
        address, port,
        [weak = weak_from_this(), lead](Result<std::unique_ptr<host::Stream>> stream) {
          const auto self = weak.lock();
          if (!self) return;
          if (!stream.ok())
            return self->finish(Error{stream.error().reason, lead + stream.error().message});
          self->connected(std::move(stream).value());
        },
        network_namespace);
  }

  void input(std::string_view bytes) override {
    if (stream_)
      stream_->write(bytes);
    else
      early_.append(bytes);
  }
  void end_input() override {
    ended_ = true;
    if (stream_) stream_->shutdown_write();
  }
  std::size_t input_buffered() const override {
    return early_.size() + (stream_ ? stream_->buffered() : 0);
  }
  void on_input_drained(std::function<void()> call) override { on_drained_ = std::move(call); }
  void resize(int, int) override {}

 private:
  void connected(std::unique_ptr<host::Stream> stream) {
    stream_ = std::move(stream);
    const auto weak = weak_from_this();
    stream_->start({.on_data =
                        [weak](std::string_view bytes) {
                          if (const auto self = weak.lock()) self->received(bytes);
                        },
                    .on_end =
                        [weak] {
                          if (const auto self = weak.lock()) self->finish({});
                        },
                    .on_drained =
                        [weak] {
                          const auto self = weak.lock();
                          if (self && self->on_drained_) self->on_drained_();
                        }});
    stream_->write(std::exchange(early_, {}));
    if (ended_) stream_->shutdown_write();
  }
  void received(std::string_view bytes) {
    out_->write(bytes);
    if (out_->buffered() <= cluster::Sink::kBufferedMax) return;
    stream_->pause(true);
    out_->on_drained([weak = weak_from_this()] {
      if (const auto self = weak.lock(); self && self->stream_) self->stream_->pause(false);
    });
  }
  void finish(Result<void> result) {
    if (const auto done = std::exchange(done_, nullptr)) {
      out_->close();
      done(std::move(result));
    }
  }

  host::Loop& loop_;
  std::shared_ptr<cluster::Sink> out_;
  std::function<void(Result<void>)> done_;
  std::unique_ptr<host::Stream> stream_;
  std::string early_;
  bool ended_ = false;
  std::function<void()> on_drained_;
};

// A session that only reports an error.
class FailedSession : public cluster::Session {
 public:
  void input(std::string_view) override {}
  void end_input() override {}
  std::size_t input_buffered() const override { return 0; }
  void on_input_drained(std::function<void()>) override {}
  void resize(int, int) override {}
};

// Which file holds what is asked for; an Error as the kubelet words it.
Result<std::string> log_file(NodeHost& nodes, const Value& pod, const cluster::PodContainer& where,
                             bool previous) {
  const Value& status = status_of(pod, where.container);
  const bool waits = status.is_null() || (status["containerID"].as_string().empty() &&
                                          !status["lastState"].has("terminated"));
  if (previous) {
    if (!status["lastState"].has("terminated"))
      return Error{Reason::bad_request, "previous terminated container " + quote(where.container) +
                                            " in pod " + quote(where.pod) + " not found"};
  } else if (waits) {
    std::string reason = status["state"]["waiting"]["reason"].str();
    if (reason.empty()) reason = "ContainerCreating";
    return Error{Reason::bad_request, "container " + quote(where.container) + " in pod " +
                                          quote(where.pod) + " is waiting to start: " + reason};
  }
  ContainerRun run;
  run.container = where.container;
  run.attempt = static_cast<int>(status["restartCount"].as_int());
  // While it waits for its next start, the count is still that of the run before.
  if (previous && !status["state"].has("waiting")) run.attempt--;
  return nodes.driver().log_path(pod, run);
}

}  // namespace

Result<std::string> NodePodStreams::running(const cluster::PodContainer& where) const {
  const PodRunner* runner = nodes_.find(where.uid);
  if (runner != nullptr)
    if (const ContainerRun* run = runs_of(runner->machine().runs(), where.container).latest;
        run != nullptr && run->running())
      return run->id;
  return Error{Reason::internal_error, "unable to upgrade connection: container not found (" +
                                           quote(where.container) + ")"};
}

std::shared_ptr<void> NodePodStreams::logs(const cluster::PodContainer& where,
                                           const cluster::LogOptions& options,
                                           std::shared_ptr<cluster::Sink> sink,
                                           std::function<void(Result<void>)> done) {
  const Value pod = cluster_.get("pods", where.namespace_, where.pod);
  const Result<std::string> path = log_file(nodes_, pod, where, options.previous);
  if (!path.ok()) {
    done(path.error());
    return nullptr;
  }
  const auto is_running = [this, where, previous = options.previous] {
    return !previous && running(where).ok();
  };
  auto session = std::make_shared<LogSession>(loop_, *path, options, std::move(sink), is_running,
                                              std::move(done));
  session->begin();
  return session;
}

std::shared_ptr<cluster::Session> NodePodStreams::exec(const cluster::PodContainer& where,
                                                       const cluster::ExecOptions& options,
                                                       cluster::ExecEvents events) {
  const Result<std::string> id = running(where);
  if (id.ok()) return nodes_.driver().exec_session(*id, options, std::move(events));
  events.on_exit(id.error());
  return std::make_shared<FailedSession>();
}

std::shared_ptr<cluster::Session> NodePodStreams::attach(const cluster::PodContainer& where,
                                                         const cluster::ExecOptions& options,
                                                         cluster::ExecEvents events) {
  const Result<std::string> id = running(where);
  if (id.ok()) return nodes_.driver().attach_session(*id, options, std::move(events));
  events.on_exit(id.error());
  return std::make_shared<FailedSession>();
}

std::shared_ptr<cluster::Session> NodePodStreams::port_forward(
    const cluster::PodContainer& where, int port, std::shared_ptr<cluster::Sink> out,
    std::function<void(Result<void>)> done) {
  const PodRunner* runner = nodes_.find(where.uid);
  if (runner == nullptr || runner->machine().sandbox().state != Sandbox::State::ready) {
    done(Error{Reason::internal_error, "error forwarding port " + std::to_string(port) +
                                           " to pod " + where.pod + ": the pod does not run"});
    return std::make_shared<FailedSession>();
  }
  auto session = std::make_shared<ForwardSession>(loop_, std::move(out), std::move(done));
  session->begin(
      sockets_, port, "127.0.0.1",
      nodes_.driver().network_namespace(runner->machine().pod(), runner->machine().sandbox()));
  return session;
}

}  // namespace keelson::node
