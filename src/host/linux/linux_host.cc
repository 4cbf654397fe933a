// The small parts of the real world that need no file of their own: signals, entropy, terminals
// and the wording of system errors.
#include "host/linux/linux_host.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace keelson::host {

std::shared_ptr<void> watch_signals(LinuxLoop& loop, const std::vector<int>& signals,
                                    std::function<void(int)> on_signal) {
  struct Signals {
    int fd = -1;
    std::shared_ptr<void> watch;
    ~Signals() {
      watch.reset();
      ::close(fd);
    }
  };
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : signals) ::sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  auto handle = std::make_shared<Signals>();
  handle->fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  KEELSON_CHECK(handle->fd >= 0);
  handle->watch = loop.watch_fd(
      handle->fd, true, false, [fd = handle->fd, on_signal = std::move(on_signal)](bool, bool) {
        signalfd_siginfo info{};
        if (::read(fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
          on_signal(static_cast<int>(info.ssi_signo));
      });
  return handle;
}

std::string system_entropy(std::size_t length) {
  std::string bytes(length, '\0');
  std::size_t done = 0;
  while (done < length) {
    const ssize_t n = ::getrandom(bytes.data() + done, length - done, 0);
    KEELSON_CHECK(n > 0 || errno == EINTR);
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  return bytes;
}

std::uint64_t system_seed() {
  std::uint64_t seed = 0;
  const std::string bytes = system_entropy(sizeof seed);
  std::memcpy(&seed, bytes.data(), sizeof seed);
  return seed;
}

std::size_t descriptors_max() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  return static_cast<std::size_t>(limit.rlim_cur);
}

Result<Terminal> open_terminal(int columns, int rows) {
  Terminal terminal;
  winsize size{};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = static_cast<unsigned short>(rows);
  if (::openpty(&terminal.master, &terminal.slave, nullptr, nullptr, &size) != 0)
    return system_error("open terminal", errno);
  ::fcntl(terminal.master, F_SETFD, FD_CLOEXEC);
  ::fcntl(terminal.slave, F_SETFD, FD_CLOEXEC);
  return terminal;
}

void resize_terminal(int master, int columns, int rows) {
  winsize size{};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = static_cast<unsigned short>(rows);
  ::ioctl(master, TIOCSWINSZ, &size);
}

Error system_error(const std::string& what, int number) {
  std::string text = ::strerrordesc_np(number) != nullptr ? ::strerrordesc_np(number)
                                                          : "error " + std::to_string(number);
  // Go's spelling starts small, and users search for that.
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a')
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return {Reason::internal_error, what + ": " + text};
}

}  // namespace keelson::host
