// UDP sockets on the loop. A turn takes a bounded number of datagrams, so that a flood does not
// starve the rest.
#include "host/linux/datagrams.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "host/linux/linux_host.h"

namespace keelson::host {
namespace {

constexpr int kDatagramsPerTurn = 64;
constexpr std::size_t kDatagramBytesMax = 65'535;

// Runs the call with the thread inside the namespace.
template <typename Call>
Result<int> inside(const std::string& path, const Call& call) {
  if (path.empty()) return call();
  const int other = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (other < 0) return system_error("open namespace " + path, errno);
  const int own = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  const bool joined = own >= 0 && ::setns(other, CLONE_NEWNET) == 0;
  const int number = errno;
  ::close(other);
  Result<int> result = joined ? call() : Result<int>(system_error("join " + path, number));
  if (joined) KEELSON_CHECK(::setns(own, CLONE_NEWNET) == 0);
  if (own >= 0) ::close(own);
  return result;
}

class LinuxDatagramSocket final : public DatagramSocket {
 public:
  LinuxDatagramSocket(LinuxLoop& loop, int fd, int port, Datagrams::OnDatagram on_datagram)
      : fd_(fd), port_(port), state_(std::make_shared<State>()) {
    state_->on_datagram = std::move(on_datagram);
    watch_ =
        loop.watch_fd(fd, true, false, [fd, state = state_](bool, bool) { receive(fd, state); });
  }
  ~LinuxDatagramSocket() override {
    state_->open = false;
    watch_.reset();
    ::close(fd_);
  }
  void send(std::string_view bytes, DatagramPeer to) override {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(to.address);
    address.sin_port = htons(to.port);
    (void)::sendto(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  int port() const override { return port_; }

 private:
  struct State {
    Datagrams::OnDatagram on_datagram;
    bool open = true;
  };
  static void receive(int fd, std::shared_ptr<State> state) {
    static thread_local std::array<char, kDatagramBytesMax> buffer;
    for (int turn = 0; turn < kDatagramsPerTurn && state->open; ++turn) {
      sockaddr_in from{};
      socklen_t length = sizeof from;
      const ssize_t n = ::recvfrom(fd, buffer.data(), buffer.size(), MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&from), &length);
      // Errors here are of an earlier send (nobody listened there); the next read goes on.
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) continue;
      state->on_datagram({buffer.data(), static_cast<std::size_t>(n)},
                         {ntohl(from.sin_addr.s_addr), ntohs(from.sin_port)});
    }
  }

  int fd_, port_;
  std::shared_ptr<State> state_;
  std::shared_ptr<void> watch_;
};

class LinuxDatagrams final : public Datagrams {
 public:
  explicit LinuxDatagrams(LinuxLoop& loop) : loop_(loop) {}

  Result<std::unique_ptr<DatagramSocket>> bind(const std::string& address, int port,
                                               OnDatagram on_datagram,
                                               const std::string& network_namespace) override {
    const std::string what = "listen udp " + address + ":" + std::to_string(port);
    sockaddr_in local{};
    local.sin_family = AF_INET;
    local.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::inet_pton(AF_INET, address.c_str(), &local.sin_addr) != 1)
      return Error{Reason::bad_request, what + ": no IPv4 address"};
    TRY(const int fd, inside(network_namespace, [&]() -> Result<int> {
          const int made = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
          if (made < 0) return system_error(what, errno);
          if (::bind(made, reinterpret_cast<sockaddr*>(&local), sizeof local) == 0) return made;
          const int number = errno;
          ::close(made);
          return system_error(what, number);
        }));
    socklen_t length = sizeof local;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length);
    return std::unique_ptr<DatagramSocket>(std::make_unique<LinuxDatagramSocket>(
        loop_, fd, ntohs(local.sin_port), std::move(on_datagram)));
  }

 private:
  LinuxLoop& loop_;
};

}  // namespace

std::unique_ptr<Datagrams> make_linux_datagrams(LinuxLoop& loop) {
  return std::make_unique<LinuxDatagrams>(loop);
}

}  // namespace keelson::host
