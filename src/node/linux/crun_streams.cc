// exec and attach for kubectl: programs started beside the container's own, and the container's own
// input and output through the keeper.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/text.h"
#include "codec/json.h"
#include "host/linux/linux_host.h"
#include "node/linux/crun_driver.h"

namespace keelson::node {
namespace {

constexpr std::size_t kReadBytes = 32 * 1024;

// One descriptor of a program: read into a Sink, with back-pressure.
class Outflow : public std::enable_shared_from_this<Outflow> {
 public:
  Outflow(host::Loop& loop, int fd, std::shared_ptr<cluster::Sink> sink,
          std::function<void()> on_end)
      : loop_(loop), fd_(fd), sink_(std::move(sink)), on_end_(std::move(on_end)) {}
  ~Outflow() { close(); }

  void begin() {
    watch_ = loop_.watch_fd(fd_, true, false, [weak = weak_from_this()](bool, bool) {
      if (const auto self = weak.lock()) self->pump();
    });
  }

 private:
  void pump() {
    std::array<char, kReadBytes> buffer;
    const ssize_t n = ::read(fd_, buffer.data(), buffer.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {  // EIO: the last program left the terminal
      close();
      if (const auto call = std::exchange(on_end_, nullptr)) call();
      return;
    }
    if (!sink_) return;
    sink_->write({buffer.data(), static_cast<std::size_t>(n)});
    if (sink_->buffered() <= cluster::Sink::kBufferedMax) return;
    watch_.reset();
    sink_->on_drained([weak = weak_from_this()] {
      if (const auto self = weak.lock(); self && self->fd_ >= 0) self->begin();
    });
  }
  void close() {
    watch_.reset();
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  host::Loop& loop_;
  int fd_;
  std::shared_ptr<cluster::Sink> sink_;
  std::function<void()> on_end_;
  std::shared_ptr<void> watch_;
};

class ExecSession : public cluster::Session, public std::enable_shared_from_this<ExecSession> {
 public:
  ExecSession(host::Loop& loop, host::Processes& processes, cluster::ExecEvents events)
      : loop_(loop), processes_(processes), events_(std::move(events)) {}
  ~ExecSession() override {
    if (pid_ > 0 && !exited_) (void)processes_.signal(pid_, terminal_ >= 0 ? SIGHUP : SIGKILL);
    writable_.reset();
    if (input_ >= 0 && input_ != terminal_) ::close(input_);
    if (terminal_ >= 0) ::close(terminal_);
  }

  void begin(host::SpawnOptions options, const cluster::ExecOptions& wanted) {
    const Result<int> pid =
        wanted.terminal ? begin_terminal(options) : begin_pipes(options, wanted);
    if (pid.ok()) {
      pid_ = *pid;
      return;
    }
    loop_.post([weak = weak_from_this(), error = pid.error()] {
      if (const auto self = weak.lock()) self->events_.on_exit(error);
    });
  }

  void input(std::string_view bytes) override {
    if (input_ < 0) return;
    waiting_.append(bytes);
    flush();
  }
  void end_input() override {
    ending_ = true;
    flush();
  }
  std::size_t input_buffered() const override { return waiting_.size(); }
  void on_input_drained(std::function<void()> call) override { on_drained_ = std::move(call); }
  void resize(int columns, int rows) override {
    if (terminal_ >= 0) host::resize_terminal(terminal_, columns, rows);
  }

 private:
  Result<int> spawn(const host::SpawnOptions& options) {
    return processes_.spawn(options, [weak = weak_from_this()](host::ExitStatus status) {
      if (const auto self = weak.lock()) {
        self->exited_ = true;
        self->code_ = status.code;
        self->maybe_done();
      }
    });
  }

  Result<int> begin_terminal(host::SpawnOptions& options) {
    TRY(const host::Terminal terminal, host::open_terminal(80, 24));
    options.stdin_fd = options.stdout_fd = options.stderr_fd = terminal.slave;
    options.terminal = true;
    options.new_session = true;
    Result<int> pid = spawn(options);
    ::close(terminal.slave);
    terminal_ = input_ = terminal.master;
    ::fcntl(terminal_, F_SETFL, O_NONBLOCK);
    if (pid.ok()) read_from(::fcntl(terminal_, F_DUPFD_CLOEXEC, 0), events_.out);
    return pid;
  }

  Result<int> begin_pipes(host::SpawnOptions& options, const cluster::ExecOptions& wanted) {
    std::array<int, 2> in = {-1, -1}, out = {-1, -1}, err = {-1, -1};
    if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0 ||
        (wanted.stdin_ && ::pipe2(in.data(), O_CLOEXEC) != 0))
      return host::system_error("pipe", errno);
    options.stdin_fd = in[0];
    options.stdout_fd = out[1];
    options.stderr_fd = err[1];
    Result<int> pid = spawn(options);
    for (const int fd : {in[0], out[1], err[1]})
      if (fd >= 0) ::close(fd);
    input_ = in[1];
    for (const int fd : {in[1], out[0], err[0]})
      if (fd >= 0) ::fcntl(fd, F_SETFL, O_NONBLOCK);
    if (!pid.ok()) {
      ::close(out[0]);
      ::close(err[0]);
      return pid;
    }
    read_from(out[0], events_.out);
    read_from(err[0], events_.err);
    return pid;
  }

  void read_from(int fd, std::shared_ptr<cluster::Sink> sink) {
    ++open_outputs_;
    auto flow = std::make_shared<Outflow>(loop_, fd, std::move(sink), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        --self->open_outputs_;
        self->maybe_done();
      }
    });
    flow->begin();
    flows_.push_back(std::move(flow));
  }

  void maybe_done() {
    if (!exited_ || open_outputs_ > 0 || done_) return;
    done_ = true;
    events_.on_exit(code_);
  }

  void flush() {
    while (!waiting_.empty() && input_ >= 0) {
      const ssize_t n = ::write(input_, waiting_.data(), waiting_.size());
      if (n < 0 && errno == EAGAIN) {
        // More input may come while this one waits: one watch serves both.
        if (writable_) return;
        writable_ = loop_.watch_fd(input_, false, true, [weak = weak_from_this()](bool, bool) {
          if (const auto self = weak.lock()) {
            self->writable_.reset();
            self->flush();
          }
        });
        return;
      }
      if (n <= 0) {
        waiting_.clear();
        break;
      }
      waiting_.erase(0, static_cast<std::size_t>(n));
    }
    if (ending_ && input_ >= 0 && input_ != terminal_) {
      writable_.reset();
      ::close(input_);
      input_ = -1;
    } else if (ending_ && input_ >= 0) {
      ending_ = false;
      [[maybe_unused]] const ssize_t n = ::write(input_, "\x04", 1);  // end of file on a terminal
    }
    if (on_drained_) on_drained_();
  }

  host::Loop& loop_;
  host::Processes& processes_;
  cluster::ExecEvents events_;
  int pid_ = -1, input_ = -1, terminal_ = -1, code_ = 0, open_outputs_ = 0;
  bool exited_ = false, ending_ = false, done_ = false;
  std::string waiting_;
  std::shared_ptr<void> writable_;
  std::function<void()> on_drained_;
  std::vector<std::shared_ptr<Outflow>> flows_;
};

// Frames of the keeper; see node/keeper/keeper.h.
class AttachSession : public cluster::Session, public std::enable_shared_from_this<AttachSession> {
 public:
  AttachSession(host::Loop& loop, cluster::ExecEvents events)
      : loop_(loop), events_(std::move(events)) {}
  ~AttachSession() override {
    if (stream_) loop_.post([stream = std::shared_ptr<host::Stream>(std::move(stream_))] {});
  }

  void begin(host::Sockets& sockets, const std::string& socket, const std::string& run_id) {
    sockets.connect("unix:" + socket, 0,
                    [weak = weak_from_this(), run_id](Result<std::unique_ptr<host::Stream>> made) {
                      const auto self = weak.lock();
                      if (!self) return;
                      if (!made.ok()) return self->finish(made.error());
                      self->connected(std::move(made).value(), run_id);
                    });
  }
  void input(std::string_view bytes) override { send(0, bytes); }
  void end_input() override { send(3, ""); }
  std::size_t input_buffered() const override { return stream_ ? stream_->buffered() : 0; }
  void on_input_drained(std::function<void()> call) override { on_drained_ = std::move(call); }
  void resize(int columns, int rows) override {
    send(4, std::to_string(columns) + "x" + std::to_string(rows));
  }

 private:
  void connected(std::unique_ptr<host::Stream> stream, const std::string& run_id) {
    stream_ = std::move(stream);
    const auto weak = weak_from_this();
    stream_->start({.on_data =
                        [weak](std::string_view bytes) {
                          if (const auto self = weak.lock()) self->receive(bytes);
                        },
                    .on_end =
                        [weak] {
                          if (const auto self = weak.lock()) self->finish(0);
                        },
                    .on_drained =
                        [weak] {
                          const auto self = weak.lock();
                          if (self && self->on_drained_) self->on_drained_();
                        }});
    stream_->write(codec::to_json(Value::object({{"id", 1}, {"op", "attach"}, {"run", run_id}})) +
                   "\n");
    stream_->write(early_);
  }

  void send(char channel, std::string_view bytes) {
    std::string frame(1, channel);
    const auto n = static_cast<std::uint32_t>(bytes.size());
    for (int i = 0; i < 4; i++) frame.push_back(static_cast<char>(n >> (8 * i) & 0xff));
    frame.append(bytes);
    if (stream_)
      stream_->write(frame);
    else
      early_ += frame;
  }

  void receive(std::string_view bytes) {
    buffer_.append(bytes);
    if (!answered_) {
      const std::size_t end = buffer_.find('\n');
      if (end == std::string::npos) return;
      const auto answer = codec::parse_json(std::string_view(buffer_).substr(0, end));
      buffer_.erase(0, end + 1);
      answered_ = true;
      if (!answer.ok() || !(*answer)["ok"].as_bool())
        return finish(Error{Reason::bad_request,
                            answer.ok() ? (*answer)["error"].str() : answer.error().message});
    }
    while (buffer_.size() >= 5) {
      std::size_t length = 0;
      for (std::size_t i = 0; i < 4; i++)
        length |= static_cast<std::size_t>(static_cast<unsigned char>(buffer_[i + 1])) << (8 * i);
      if (buffer_.size() < 5 + length) return;
      const auto& sink = buffer_[0] == 1 ? events_.out : events_.err;
      if (sink) sink->write(std::string_view(buffer_).substr(5, length));
      buffer_.erase(0, 5 + length);
      if (sink && sink->buffered() > cluster::Sink::kBufferedMax) wait_for(*sink);
    }
  }

  // What is read already goes on; no more is read until the client took some.
  void wait_for(cluster::Sink& sink) {
    if (!stream_) return;
    stream_->pause(true);
    sink.on_drained([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self && self->stream_) self->stream_->pause(false);
    });
  }

  void finish(Result<int> code) {
    if (std::exchange(done_, true)) return;
    events_.on_exit(std::move(code));
  }

  host::Loop& loop_;
  cluster::ExecEvents events_;
  std::unique_ptr<host::Stream> stream_;
  std::string buffer_, early_;
  bool answered_ = false, done_ = false;
  std::function<void()> on_drained_;
};

}  // namespace

std::shared_ptr<cluster::Session> CrunDriver::exec_session(const std::string& run_id,
                                                           const cluster::ExecOptions& options,
                                                           cluster::ExecEvents events) {
  host::SpawnOptions spawn;
  spawn.argv = exec_argv(run_id, options.terminal, options.command);
  spawn.mount_namespace = exec_mounts();
  spawn.directory = "/";
  auto session = std::make_shared<ExecSession>(loop_, processes_, std::move(events));
  session->begin(std::move(spawn), options);
  return session;
}

std::shared_ptr<cluster::Session> CrunDriver::attach_session(const std::string& run_id,
                                                             const cluster::ExecOptions&,
                                                             cluster::ExecEvents events) {
  auto session = std::make_shared<AttachSession>(loop_, std::move(events));
  session->begin(sockets_, keeper_.socket_path(), run_id);
  return session;
}

}  // namespace keelson::node
