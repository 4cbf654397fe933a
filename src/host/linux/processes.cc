// Starts programs with clone(CLONE_VM | CLONE_VFORK): no page tables are copied, however big we
// are. Between clone and exec the child shares our memory, so it only makes system calls and
// touches what the parent prepared. Ends are seen through pidfds, never SIGCHLD, so a process id is
// not reused before we know.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/check.h"
#include "base/text.h"
#include "host/linux/linux_host.h"

namespace keelson::host {
namespace {

constexpr std::size_t kStackBytes = 64 * 1024;
constexpr std::size_t kOutputBytesMax = 1024 * 1024;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { reset(); }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// All that the child reads, prepared before it exists.
struct ChildPlan {
  std::vector<std::string> programs;  // tried in order, as execvp does
  std::vector<char*> argv, environment;
  const char* directory = nullptr;
  int network_namespace = -1, mount_namespace = -1;
  std::vector<std::pair<int, int>> descriptors;  // number in the child, descriptor here
  int descriptor_free = 3;                       // first number above all wanted ones
  bool new_session = false, terminal = false, die_with_parent = false;
  pid_t parent = 0;
  // Answer of the child: which step failed, and why.
  const char* failed = nullptr;
  int number = 0;
};

[[noreturn]] void fail_child(ChildPlan& plan, const char* step) {
  plan.number = errno;
  plan.failed = step;
  ::_exit(127);
}

void place_descriptors(ChildPlan& plan) {
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  // First away from the wanted numbers, then onto them: no order of plain dup2 calls is safe.
  for (auto& [number, fd] : plan.descriptors) {
    fd = ::fcntl(fd, F_DUPFD_CLOEXEC, plan.descriptor_free);
    if (fd < 0) fail_child(plan, "duplicate descriptor");
  }
  for (const auto& [number, fd] : plan.descriptors) {
    if (::dup2(fd, number) < 0) fail_child(plan, "place descriptor");
  }
}

int run_child(void* argument) {
  ChildPlan& plan = *static_cast<ChildPlan*>(argument);
  if (plan.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != plan.parent) ::_exit(127);
  }
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
  if (plan.new_session && ::setsid() < 0) fail_child(plan, "new session");
  if (plan.network_namespace >= 0 && ::setns(plan.network_namespace, CLONE_NEWNET) != 0)
    fail_child(plan, "join network namespace");
  place_descriptors(plan);
  if (plan.terminal && ::ioctl(0, TIOCSCTTY, 0) != 0) fail_child(plan, "take terminal");
  if (plan.mount_namespace >= 0 && ::setns(plan.mount_namespace, CLONE_NEWNS) != 0)
    fail_child(plan, "join mount namespace");
  if (plan.directory != nullptr && ::chdir(plan.directory) != 0) fail_child(plan, "chdir");
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  int number = ENOENT;
  for (const std::string& program : plan.programs) {
    ::execve(program.c_str(), plan.argv.data(), plan.environment.data());
    if (errno != ENOENT && errno != ENOTDIR) number = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  errno = number;
  fail_child(plan, "exec");
}

std::vector<std::string> programs_of(const SpawnOptions& options) {
  const std::string& name = options.argv.front();
  if (name.find('/') != std::string::npos) return {name};
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  if (const char* own = std::getenv("PATH"); own != nullptr && !options.clear_environment)
    path = own;
  for (const std::string& variable : options.environment)
    if (variable.starts_with("PATH=")) path = variable.substr(5);
  std::vector<std::string> programs;
  for (const std::string& directory : split(path, ':'))
    programs.push_back((directory.empty() ? "." : directory) + "/" + name);
  return programs;
}

Result<Descriptor> open_namespace(const std::string& path) {
  if (path.empty()) return Descriptor();
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return system_error("open namespace " + path, errno);
  return fd;
}

Result<void> make_pipe(Descriptor& read, Descriptor& write) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("pipe", errno);
  read = Descriptor(ends[0]);
  write = Descriptor(ends[1]);
  return {};
}

class LinuxProcesses final : public Processes {
 public:
  explicit LinuxProcesses(LinuxLoop& loop) : loop_(loop) {
    null_ = Descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC));
    KEELSON_CHECK(null_.get() >= 0);
  }

  Result<int> spawn(const SpawnOptions& options, std::function<void(ExitStatus)> on_exit) override;
  Result<void> signal(int pid, int number) override {
    // Children stay zombies until reaped here, so the id cannot belong to somebody else.
    if (::kill(pid, number) != 0) return system_error("signal process", errno);
    return {};
  }
  void run(const SpawnOptions& options, std::string input,
           std::function<void(Result<Output>)> done) override;
  Result<std::shared_ptr<void>> watch_exit(int pid, std::function<void()> on_exit) override;

 private:
  struct Child {
    Descriptor pidfd;
    std::shared_ptr<void> watch;
    std::function<void(ExitStatus)> on_exit;
  };
  void reap(int pid);

  LinuxLoop& loop_;
  Descriptor null_;
  std::map<int, Child> children_;
};

Result<int> LinuxProcesses::spawn(const SpawnOptions& options,
                                  std::function<void(ExitStatus)> on_exit) {
  KEELSON_CHECK(!options.argv.empty());
  TRY(const Descriptor network, open_namespace(options.network_namespace));
  TRY(const Descriptor mount, open_namespace(options.mount_namespace));
  ChildPlan plan;
  plan.programs = programs_of(options);
  for (const std::string& word : options.argv) plan.argv.push_back(const_cast<char*>(word.c_str()));
  plan.argv.push_back(nullptr);
  for (const std::string& variable : options.environment)
    plan.environment.push_back(const_cast<char*>(variable.c_str()));
  if (options.environment.empty() && !options.clear_environment)
    for (char** variable = environ; *variable != nullptr; ++variable)
      plan.environment.push_back(*variable);
  plan.environment.push_back(nullptr);
  if (!options.directory.empty()) plan.directory = options.directory.c_str();
  plan.network_namespace = network.get();
  plan.mount_namespace = mount.get();
  const auto or_null = [this](int fd) { return fd >= 0 ? fd : null_.get(); };
  plan.descriptors = {{0, or_null(options.stdin_fd)},
                      {1, or_null(options.stdout_fd)},
                      {2, or_null(options.stderr_fd)}};
  for (const auto& [number, fd] : options.extra_fds) {
    plan.descriptors.emplace_back(number, fd);
    plan.descriptor_free = std::max(plan.descriptor_free, number + 1);
  }
  plan.new_session = options.new_session || options.terminal;
  plan.terminal = options.terminal;
  plan.die_with_parent = options.die_with_parent;
  plan.parent = ::getpid();

  void* stack = ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return system_error("make stack", errno);
  // A handler of ours must not run in the child while it shares our memory.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  int pidfd = -1;
  const int pid = ::clone(run_child, static_cast<char*>(stack) + kStackBytes,
                          CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
  const int clone_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::munmap(stack, kStackBytes);
  if (pid < 0) return system_error("start " + options.argv.front(), clone_error);
  Child child;
  child.pidfd = Descriptor(pidfd);
  if (plan.failed != nullptr) {
    siginfo_t info{};
    ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED);
    return system_error(std::string(plan.failed) + " " + options.argv.front(), plan.number);
  }
  child.on_exit = std::move(on_exit);
  child.watch = loop_.watch_fd(pidfd, true, false, [this, pid](bool, bool) { reap(pid); });
  children_.emplace(pid, std::move(child));
  return pid;
}

void LinuxProcesses::reap(int pid) {
  const auto found = children_.find(pid);
  if (found == children_.end()) return;
  siginfo_t info{};
  const int pidfd = found->second.pidfd.get();
  if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info,
               WEXITED | WNOHANG) != 0 ||
      info.si_pid == 0) {
    return;
  }
  Child child = std::move(found->second);
  children_.erase(found);
  child.watch.reset();
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
    status.code = 128 + info.si_status;
  }
  if (child.on_exit) child.on_exit(status);
}

Result<std::shared_ptr<void>> LinuxProcesses::watch_exit(int pid, std::function<void()> on_exit) {
  struct Exit {
    Descriptor pidfd;
    std::shared_ptr<void> watch;
    ~Exit() { watch.reset(); }
  };
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return system_error("watch process " + std::to_string(pid), errno);
  auto exit = std::make_shared<Exit>();
  exit->pidfd = Descriptor(fd);
  const std::weak_ptr<Exit> weak = exit;
  exit->watch = loop_.watch_fd(fd, true, false, [weak, on_exit = std::move(on_exit)](bool, bool) {
    const std::shared_ptr<Exit> self = weak.lock();
    if (!self || !self->watch) return;
    const std::function<void()> call = on_exit;
    self->watch.reset();
    if (call) call();
  });
  return std::shared_ptr<void>(exit);
}

// Feeds and drains one program. Done when it ends: a daemon that it leaves behind may hold the
// pipes for ever, so what has arrived by then is all.
struct Run : std::enable_shared_from_this<Run> {
  LinuxLoop& loop;
  std::string input;
  Descriptor in, out, err;
  std::shared_ptr<void> in_watch, out_watch, err_watch;
  Processes::Output output;
  std::function<void(Result<Processes::Output>)> done;

  explicit Run(LinuxLoop& l) : loop(l) {}
  ~Run() { close_all(); }

  void close_all() {
    in_watch.reset();
    out_watch.reset();
    err_watch.reset();
    in.reset();
    out.reset();
    err.reset();
  }

  void feed() {
    while (!input.empty()) {
      const ssize_t n = ::write(in.get(), input.data(), input.size());
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) break;
      input.erase(0, static_cast<std::size_t>(n));
    }
    in_watch.reset();
    in.reset();
  }

  // False at the end of the pipe.
  static bool drain(int fd, std::string& text) {
    std::array<char, 16384> buffer{};
    while (true) {
      const ssize_t n = ::read(fd, buffer.data(), buffer.size());
      if (n < 0) return errno == EAGAIN || errno == EINTR;
      if (n == 0) return false;
      const std::size_t room = kOutputBytesMax - text.size();
      text.append(buffer.data(), std::min(room, static_cast<std::size_t>(n)));
    }
  }

  void start() {
    for (const int fd : {in.get(), out.get(), err.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
    const std::weak_ptr<Run> weak = weak_from_this();
    in_watch = loop.watch_fd(in.get(), false, true, [weak](bool, bool) {
      if (const auto self = weak.lock(); self && self->in_watch) self->feed();
    });
    out_watch = loop.watch_fd(out.get(), true, false, [weak](bool, bool) {
      const auto self = weak.lock();
      if (self && !drain(self->out.get(), self->output.out)) self->out_watch.reset();
    });
    err_watch = loop.watch_fd(err.get(), true, false, [weak](bool, bool) {
      const auto self = weak.lock();
      if (self && !drain(self->err.get(), self->output.err)) self->err_watch.reset();
    });
  }

  void finish(ExitStatus status) {
    drain(out.get(), output.out);
    drain(err.get(), output.err);
    close_all();
    output.status = status;
    done(std::move(output));
  }
};

void LinuxProcesses::run(const SpawnOptions& options, std::string input,
                         std::function<void(Result<Output>)> done) {
  const auto run = std::make_shared<Run>(loop_);
  Descriptor child_in, child_out, child_err;
  Result<void> made = make_pipe(child_in, run->in);
  if (made.ok()) made = make_pipe(run->out, child_out);
  if (made.ok()) made = make_pipe(run->err, child_err);
  const auto refuse = [&](Error error) {
    loop_.post([done, error = std::move(error)] { done(error); });
  };
  if (!made.ok()) return refuse(made.error());
  run->input = std::move(input);
  run->done = done;
  SpawnOptions piped = options;
  piped.stdin_fd = child_in.get();
  piped.stdout_fd = child_out.get();
  piped.stderr_fd = child_err.get();
  const Result<int> pid = spawn(piped, [run](ExitStatus status) { run->finish(status); });
  if (!pid.ok()) return refuse(pid.error());
  run->start();
}

}  // namespace

std::unique_ptr<Processes> make_linux_processes(LinuxLoop& loop) {
  ::signal(SIGPIPE, SIG_IGN);
  return std::make_unique<LinuxProcesses>(loop);
}

}  // namespace keelson::host
