// One epoll loop over: the socket, connections, the containers' pipes, and a signal descriptor for
// ended children. Nothing blocks but fork and mount.
#include "node/keeper/keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>

#include "codec/json.h"
#include "codec/texts.h"
#include "node/keeper/run.h"

namespace keelson::node {
namespace {

using codec::Value;

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kStrangersMax = 1024;
constexpr std::size_t kAttachBufferMax = 4 * 1024 * 1024;

struct Connection {
  int fd = -1;
  pid_t peer = -1;
  bool greeted = false;
  bool closing = false;  // once all is sent
  std::string attached;  // a run's id: the connection carries frames
  std::string in, out;
};

struct Ended {
  int code = 0, signal = 0;
};

Ended ended(int status) {
  if (WIFSIGNALED(status)) return {128 + WTERMSIG(status), WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

std::int64_t now_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::string frame(char channel, std::string_view bytes) {
  std::string out(1, channel);
  const auto n = static_cast<std::uint32_t>(bytes.size());
  for (int i = 0; i < 4; i++) out.push_back(static_cast<char>(n >> (8 * i) & 0xff));
  return out.append(bytes);
}

class Keeper {
 public:
  explicit Keeper(std::string socket) : socket_(std::move(socket)) {}
  int run();

 private:
  bool begin();
  void watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> call);
  void unwatch(int fd);
  void accept_one();
  void converse(int fd, std::uint32_t events);
  void drop(int fd);
  void send(int fd, const Value& message);
  void send_bytes(Connection& connection, std::string_view bytes);
  void flush(Connection& connection);
  void answer(int fd, std::int64_t id, const std::string& error, Value more = Value::object());
  void handle(Connection& connection, const Value& request);
  void start(Connection& connection, const Value& request);
  void adopt(Connection& connection, const Value& request);
  void remove(Connection& connection, const Value& request);
  void attach(Connection& connection, const Value& request);
  void frames(Connection& connection);
  void take_terminal(Run& run);
  void watch_output(Run& run);
  void pump(Run& run, int fd, std::string_view stream);
  bool is_ahead(const Run& run) const;
  void resume(const std::string& run_id);
  void reap();
  void child_ended(pid_t pid, Ended how);
  void launched(Run& run, Ended how);
  void is_running(Run& run, pid_t pid);
  void finished(Run& run, Ended how, bool unknown);
  void cleaned(Run& run);
  std::string resolve(const Connection& connection, const std::string& path) const;

  std::string socket_;
  int epoll_ = -1, listener_ = -1, signals_ = -1;
  std::string unprivileged_;  // why there are no private mounts; empty: there are
  bool ending_ = false;
  std::map<int, std::function<void(std::uint32_t)>> watches_;
  std::map<int, Connection> connections_;
  std::map<std::string, Run> runs_;
  std::map<pid_t, Ended> strangers_;  // children that ended before we knew whose they are
};

bool Keeper::begin() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::umask(022);
  unprivileged_ = enter_private_mounts();
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  signals_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, socket_.c_str(), socket_.size() + 1);
  ::unlink(socket_.c_str());
  ::umask(077);
  const bool bound =
      ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(listener_, 16) == 0;
  ::umask(022);
  if (!bound) return false;
  watch(listener_, EPOLLIN, [this](std::uint32_t) { accept_one(); });
  watch(signals_, EPOLLIN, [this](std::uint32_t) {
    signalfd_siginfo info{};
    while (::read(signals_, &info, sizeof info) == sizeof info) {}
    reap();  // other signals mean nothing: containers outlive a careless kill
  });
  return true;
}

int Keeper::run() {
  if (!begin()) return 1;
  epoll_event events[64];
  while (!ending_) {
    const int n = ::epoll_wait(epoll_, events, 64, -1);
    if (n < 0 && errno != EINTR) return 1;
    for (int i = 0; i < n; i++) {
      const auto at = watches_.find(events[i].data.fd);
      if (at == watches_.end()) continue;
      const auto call = at->second;
      call(events[i].events);
    }
  }
  ::unlink(socket_.c_str());
  return 0;
}

void Keeper::watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> call) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  const int op = watches_.contains(fd) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  ::epoll_ctl(epoll_, op, fd, &event);
  watches_[fd] = std::move(call);
}

void Keeper::unwatch(int fd) {
  if (watches_.erase(fd) > 0) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

void Keeper::accept_one() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  Connection& connection = connections_[fd];
  connection.fd = fd;
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0) connection.peer = peer.pid;
  watch(fd, EPOLLIN, [this, fd](std::uint32_t events) { converse(fd, events); });
}

void Keeper::drop(int fd) {
  unwatch(fd);
  const auto at = connections_.find(fd);
  const std::string attached = at == connections_.end() ? "" : at->second.attached;
  connections_.erase(fd);
  ::close(fd);
  if (!attached.empty()) resume(attached);
  for (auto& [id, run] : runs_)
    if (run.reply_connection == fd) run.reply_connection = -1;
}

void Keeper::converse(int fd, std::uint32_t events) {
  const auto at = connections_.find(fd);
  if (at == connections_.end()) return;
  Connection& connection = at->second;
  if (events & EPOLLOUT) {
    flush(connection);
    if (connection.closing && connection.out.empty()) return drop(fd);
    if (!connection.attached.empty()) resume(connection.attached);
  }
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  static char buffer[kReadBytes];
  const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return drop(fd);
  connection.in.append(buffer, static_cast<std::size_t>(n));
  std::size_t end = 0;
  while (connection.attached.empty() && (end = connection.in.find('\n')) != std::string::npos) {
    const auto request = codec::parse_json(std::string_view(connection.in).substr(0, end));
    connection.in.erase(0, end + 1);
    if (!request.ok()) return drop(fd);
    handle(connection, *request);
    if (!connections_.contains(fd)) return;
  }
  if (!connection.attached.empty()) frames(connection);
}

void Keeper::flush(Connection& connection) {
  while (!connection.out.empty()) {
    const ssize_t n =
        ::send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (n <= 0) break;
    connection.out.erase(0, static_cast<std::size_t>(n));
  }
  const std::uint32_t events = connection.out.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
  watch(connection.fd, events,
        [this, fd = connection.fd](std::uint32_t happened) { converse(fd, happened); });
}

void Keeper::send_bytes(Connection& connection, std::string_view bytes) {
  connection.out.append(bytes);
  flush(connection);
}

void Keeper::send(int fd, const Value& message) {
  const auto at = connections_.find(fd);
  if (at != connections_.end()) send_bytes(at->second, codec::to_json(message) + "\n");
}

void Keeper::answer(int fd, std::int64_t id, const std::string& error, Value more) {
  more.set("id", id);
  more.set("ok", error.empty());
  if (!error.empty()) more.set("error", error);
  send(fd, more);
}

// "host:PATH" is a path in the mount namespace of the engine.
std::string Keeper::resolve(const Connection& connection, const std::string& path) const {
  if (!path.starts_with("host:")) return path;
  return "/proc/" + std::to_string(connection.peer) + "/root" + path.substr(5);
}

void Keeper::handle(Connection& connection, const Value& request) {
  const std::int64_t id = request["id"].as_int();
  const int fd = connection.fd;
  const std::string_view op = request["op"].as_string();
  if (op == "hello") {
    connection.greeted = true;
    return answer(fd, id, "",
                  Value::object({{"pid", static_cast<int>(::getpid())},
                                 {"version", kKeeperVersion},
                                 {"unprivileged", unprivileged_}}));
  }
  if (op == "run") return start(connection, request);
  if (op == "adopt") return adopt(connection, request);
  if (op == "remove") return remove(connection, request);
  if (op == "attach") return attach(connection, request);
  if (op == "sandbox") {
    if (request.has("from_pid"))
      return answer(
          fd, id,
          keep_sandbox(request["dir"].str(), static_cast<pid_t>(request["from_pid"].as_int()),
                       request["own_network"].as_bool()));
    return answer(fd, id,
                  make_sandbox(request["dir"].str(), request["hostname"].str(),
                               resolve(connection, request["network"].str()),
                               request["own_network"].as_bool(), request["address"].str()));
  }
  if (op == "mount") {
    std::string error;
    for (const Value& mount : request["mounts"].elements())
      if (error.empty())
        error =
            make_mount({mount["type"].str(), mount["source"].str(), mount["target"].str(),
                        mount["data"].str(), static_cast<unsigned long>(mount["flags"].as_int())});
    return answer(fd, id, error);
  }
  if (op == "unmount") {
    for (const Value& target : request["targets"].elements())
      ::umount2(target.str().c_str(), MNT_DETACH);
    return answer(fd, id, "");
  }
  if (op == "signal") {
    const auto at = runs_.find(request["run"].str());
    if (at == runs_.end() || at->second.pid <= 0 || at->second.state != Run::State::running)
      return answer(fd, id, "no such container");
    const int code = ::kill(at->second.pid, static_cast<int>(request["signal"].as_int()));
    return answer(fd, id, code == 0 ? "" : std::strerror(errno));
  }
  if (op == "list") {
    Value runs = Value::array();
    for (const auto& [name, run] : runs_)
      if (run.state == Run::State::running || run.state == Run::State::starting)
        runs.push_back(name);
    return answer(fd, id, "", Value::object({{"runs", std::move(runs)}}));
  }
  if (op == "end") {
    ending_ = std::none_of(runs_.begin(), runs_.end(), [](const auto& entry) {
      return entry.second.state != Run::State::gone;
    });
    return answer(fd, id, ending_ ? "" : "containers are running");
  }
  answer(fd, id, "unknown operation");
}

void Keeper::start(Connection& connection, const Value& request) {
  const std::int64_t id = request["id"].as_int();
  const std::string name = request["run"].str();
  runs_.erase(name);
  Run& run = runs_[name];
  run.id = name;
  run.directory = request["dir"].str();
  run.pid_file = request["pid_file"].str();
  run.oom_file = request["oom_file"].str();
  run.cleanup = codec::texts_of(request["cleanup"]);
  run.log = std::make_unique<LogWriter>(request["log"].str());
  run.reply_connection = connection.fd;
  run.reply_id = id;
  std::string error;
  for (const Value& mount : request["mounts"].elements()) {
    if (!error.empty()) break;
    error = make_mount({mount["type"].str(), mount["source"].str(), mount["target"].str(),
                        mount["data"].str(), static_cast<unsigned long>(mount["flags"].as_int())});
    if (error.empty()) run.unmounts.push_back(mount["target"].str());
  }
  int fds[3] = {-1, -1, -1};
  if (error.empty()) error = open_pipes(run, request["stdin"].as_bool(), fds);
  if (error.empty() && request["terminal"].as_bool()) {
    run.console_listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = request["console"].str();
    ::unlink(path.c_str());
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (path.size() >= sizeof address.sun_path ||
        ::bind(run.console_listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(run.console_listener, 1) != 0)
      error = "listen for the terminal";
    else
      watch(run.console_listener, EPOLLIN, [this, name](std::uint32_t) {
        if (const auto at = runs_.find(name); at != runs_.end()) take_terminal(at->second);
      });
  }
  pid_t pid = -1;
  if (error.empty()) {
    LaunchPlan plan;
    plan.argv = codec::texts_of(request["argv"]);
    plan.environment = codec::texts_of(request["environment"]);
    plan.directory = request["directory"].str();
    for (const Value& file : request["namespaces"].elements())
      plan.namespaces.push_back(resolve(connection, file.str()));
    plan.cgroup_procs = codec::texts_of(request["cgroup_procs"]);
    plan.user = static_cast<int>(request["user"].as_int(-1));
    plan.group = static_cast<int>(request["group"].as_int(-1));
    plan.stdin_fd = fds[0];
    plan.stdout_fd = fds[1];
    plan.stderr_fd = fds[2];
    pid = launch(plan, error);
  }
  for (const int fd : fds)
    if (fd >= 0) ::close(fd);
  watch_output(run);
  if (pid < 0) {
    answer(connection.fd, id, error);
    run.reply_connection = -1;
    return cleaned(run);
  }
  run.launcher = pid;
  if (run.pid_file.empty()) is_running(run, pid);
}

void Keeper::adopt(Connection& connection, const Value& request) {
  const std::string name = request["run"].str();
  const auto pid = static_cast<pid_t>(request["pid"].as_int());
  runs_.erase(name);
  Run& run = runs_[name];
  run.id = name;
  run.directory = request["dir"].str();
  run.oom_file = request["oom_file"].str();
  run.cleanup = codec::texts_of(request["cleanup"]);
  run.log = std::make_unique<LogWriter>(request["log"].str());
  run.out_fd = ::open((run.directory + "/out").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  run.err_fd = ::open((run.directory + "/err").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  run.pid_fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  run.pid = pid;
  run.state = Run::State::running;
  watch_output(run);
  if (run.pid_fd >= 0)
    watch(run.pid_fd, EPOLLIN, [this, name](std::uint32_t) {
      if (const auto at = runs_.find(name); at != runs_.end()) finished(at->second, {}, true);
    });
  answer(connection.fd, request["id"].as_int(), run.pid_fd >= 0 ? "" : "no such process");
}

// crun connects, sends the terminal's master end, and goes.
void Keeper::take_terminal(Run& run) {
  const int peer = ::accept4(run.console_listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (peer < 0) return;
  char name[512];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec part{name, sizeof name};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(peer, &message, MSG_CMSG_CLOEXEC) >= 0)
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message);
        header != nullptr && header->cmsg_type == SCM_RIGHTS)
      std::memcpy(&run.terminal_fd, CMSG_DATA(header), sizeof(int));
  ::close(peer);
  unwatch(run.console_listener);
  ::close(run.console_listener);
  run.console_listener = -1;
  if (run.terminal_fd < 0) return;
  ::fcntl(run.terminal_fd, F_SETFL, O_NONBLOCK);
  watch_output(run);
}

void Keeper::watch_output(Run& run) {
  const auto add = [&](int fd, std::string_view stream) {
    if (fd < 0) return;
    watch(fd, EPOLLIN, [this, fd, stream, name = run.id](std::uint32_t) {
      if (const auto at = runs_.find(name); at != runs_.end()) pump(at->second, fd, stream);
    });
  };
  add(run.out_fd, "stdout");
  add(run.err_fd, "stderr");
  add(run.terminal_fd, "stdout");
}

void Keeper::pump(Run& run, int fd, std::string_view stream) {
  static char buffer[kReadBytes];
  const ssize_t n = ::read(fd, buffer, sizeof buffer);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return unwatch(fd);  // every writer is gone
  const std::string_view bytes(buffer, static_cast<std::size_t>(n));
  if (run.log) run.log->write(stream, bytes);
  for (auto& [number, connection] : connections_)
    if (connection.attached == run.id)
      send_bytes(connection, frame(stream == "stdout" ? 1 : 2, bytes));
  // As with a terminal that nobody reads: the container waits, and nothing of its output is lost.
  if (!is_ahead(run)) return;
  run.paused = true;
  for (const int output : {run.out_fd, run.err_fd, run.terminal_fd})
    if (output >= 0) unwatch(output);
}

// Has somebody who is attached not taken what there is?
bool Keeper::is_ahead(const Run& run) const {
  return std::any_of(connections_.begin(), connections_.end(), [&](const auto& entry) {
    return entry.second.attached == run.id && entry.second.out.size() >= kAttachBufferMax;
  });
}

void Keeper::resume(const std::string& run_id) {
  const auto at = runs_.find(run_id);
  if (at == runs_.end() || !at->second.paused || is_ahead(at->second)) return;
  at->second.paused = false;
  if (at->second.state == Run::State::running) watch_output(at->second);
}

void Keeper::attach(Connection& connection, const Value& request) {
  const auto at = runs_.find(request["run"].str());
  if (at == runs_.end() || at->second.state != Run::State::running)
    return answer(connection.fd, request["id"].as_int(), "container is not running");
  answer(connection.fd, request["id"].as_int(), "");
  connection.attached = at->first;
}

void Keeper::frames(Connection& connection) {
  const auto at = runs_.find(connection.attached);
  while (connection.in.size() >= 5) {
    std::uint32_t length = 0;
    for (int i = 0; i < 4; i++)
      length |= static_cast<std::uint32_t>(
                    static_cast<unsigned char>(connection.in[static_cast<std::size_t>(i) + 1]))
                << (8 * i);
    if (connection.in.size() < 5 + length) return;
    const char channel = connection.in[0];
    const std::string bytes = connection.in.substr(5, length);
    connection.in.erase(0, 5 + length);
    if (at == runs_.end()) continue;
    Run& run = at->second;
    const int target = run.terminal_fd >= 0 ? run.terminal_fd : run.in_fd;
    if (channel == 0 && target >= 0) {
      // A container that does not read loses what does not fit: attach has no back-pressure.
      [[maybe_unused]] const ssize_t n = ::write(target, bytes.data(), bytes.size());
    } else if (channel == 3 && run.in_fd >= 0) {
      ::close(run.in_fd);
      run.in_fd = -1;
    } else if (channel == 4 && run.terminal_fd >= 0) {
      winsize size{};
      unsigned columns = 0, rows = 0;
      if (std::sscanf(bytes.c_str(), "%ux%u", &columns, &rows) == 2) {
        size.ws_col = static_cast<unsigned short>(columns);
        size.ws_row = static_cast<unsigned short>(rows);
        ::ioctl(run.terminal_fd, TIOCSWINSZ, &size);
      }
    }
  }
}

void Keeper::reap() {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) child_ended(pid, ended(status));
}

void Keeper::child_ended(pid_t pid, Ended how) {
  for (auto& [id, run] : runs_) {
    if (run.state == Run::State::running && run.pid == pid) return finished(run, how, false);
    if (run.launcher == pid && run.state == Run::State::starting) return launched(run, how);
    if (run.cleaner == pid) return cleaned(run);
  }
  if (strangers_.size() >= kStrangersMax) strangers_.erase(strangers_.begin());
  strangers_[pid] = how;
}

void Keeper::launched(Run& run, Ended how) {
  const pid_t pid = how.code == 0 ? std::atoi(read_file(run.pid_file, 32).c_str()) : -1;
  if (pid <= 0) {
    std::string error = launcher_message(run.directory);
    if (error.empty()) error = "the runtime ended with code " + std::to_string(how.code);
    answer(run.reply_connection, run.reply_id, error);
    run.reply_connection = -1;
    run.cleaner = -1;
    return finished(run, {128, 0}, true);
  }
  is_running(run, pid);
}

void Keeper::is_running(Run& run, pid_t pid) {
  run.pid = pid;
  run.state = Run::State::running;
  write_file(run.directory + "/pid", std::to_string(pid));
  answer(run.reply_connection, run.reply_id, "", Value::object({{"pid", static_cast<int>(pid)}}));
  run.reply_connection = -1;
  // It may have ended before its launcher did.
  if (const auto at = strangers_.find(pid); at != strangers_.end()) {
    const Ended how = at->second;
    strangers_.erase(at);
    finished(run, how, false);
  }
}

void Keeper::finished(Run& run, Ended how, bool unknown) {
  const bool started = run.state == Run::State::running;
  run.state = Run::State::cleaning;
  for (const auto& [fd, stream] : {std::pair<int, std::string_view>{run.terminal_fd, "stdout"},
                                   {run.out_fd, "stdout"},
                                   {run.err_fd, "stderr"}})
    while (fd >= 0 && (watches_.contains(fd) || run.paused)) {
      static char buffer[kReadBytes];
      const ssize_t n = ::read(fd, buffer, sizeof buffer);
      if (n <= 0) break;
      const std::string_view bytes(buffer, static_cast<std::size_t>(n));
      run.log->write(stream, bytes);
      for (auto& [number, connection] : connections_)
        if (connection.attached == run.id)
          send_bytes(connection, frame(stream == "stdout" ? 1 : 2, bytes));
    }
  if (run.log) run.log->finish();
  Value exit = Value::object({{"event", "exit"},
                              {"run", run.id},
                              {"code", how.code},
                              {"signal", how.signal},
                              {"unknown", unknown},
                              {"out_of_memory", was_out_of_memory(run.oom_file)},
                              {"at", now_nanoseconds()}});
  if (started) {
    write_file(run.directory + "/exit", codec::to_json(exit));
    std::vector<int> gone;
    for (auto& [fd, connection] : connections_) {
      if (connection.greeted) send_bytes(connection, codec::to_json(exit) + "\n");
      if (connection.attached != run.id) continue;
      connection.closing = !connection.out.empty();
      if (!connection.closing) gone.push_back(fd);
    }
    for (const int fd : gone) drop(fd);
  }
  for (const int fd : {run.out_fd, run.err_fd, run.terminal_fd, run.pid_fd, run.console_listener})
    if (fd >= 0) unwatch(fd);
  run.close_fds();
  run.log.reset();
  if (run.cleanup.empty()) return cleaned(run);
  LaunchPlan plan;
  plan.argv = run.cleanup;
  plan.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  std::string error;
  run.cleaner = launch(plan, error);
  if (run.cleaner < 0) cleaned(run);
}

void Keeper::cleaned(Run& run) {
  run.cleaner = -1;
  run.state = Run::State::gone;
  for (const int fd : {run.out_fd, run.err_fd, run.terminal_fd, run.pid_fd, run.console_listener})
    if (fd >= 0) unwatch(fd);
  run.close_fds();
  run.log.reset();
  for (auto target = run.unmounts.rbegin(); target != run.unmounts.rend(); ++target)
    ::umount2(target->c_str(), MNT_DETACH);
  for (const auto& [fd, id] : run.removals) answer(fd, id, "");
  const std::string name = run.id;
  runs_.erase(name);
}

void Keeper::remove(Connection& connection, const Value& request) {
  const auto at = runs_.find(request["run"].str());
  const std::int64_t id = request["id"].as_int();
  if (at == runs_.end()) return answer(connection.fd, id, "");
  Run& run = at->second;
  run.removals.emplace_back(connection.fd, id);
  if (run.state == Run::State::running) ::kill(run.pid, SIGKILL);
}

}  // namespace

int keeper_main(int argc, char** argv) {
  std::string socket;
  for (int i = 1; i + 1 < argc; i++)
    if (std::string_view(argv[i]) == "--socket") socket = argv[i + 1];
  if (socket.empty()) return 2;
  return Keeper(socket).run();
}

}  // namespace keelson::node
