// TCP and unix sockets on the loop. A socket belongs to the network namespace in which it was
// made, whatever its thread does later; so the loop's thread steps into a namespace for the one
// system call and back. What is written goes to the kernel at once and is kept only when the
// kernel is full.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "base/check.h"
#include "host/linux/linux_host.h"

namespace keelson::host {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr int kReadsPerTurn = 4;  // so that one fast peer does not starve the others
constexpr int kAcceptsPerTurn = 64;
constexpr Duration kAcceptPause = Duration::milliseconds(100);

struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// A numeric IPv4 or IPv6 address; "" is every IPv4 and IPv6 address.
std::optional<Address> numeric_address(const std::string& text, int port) {
  Address address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<std::uint16_t>(port));
    address.length = sizeof v4;
    return address;
  }
  if (text.empty() || ::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<std::uint16_t>(port));
    address.length = sizeof v6;
    return address;
  }
  return std::nullopt;
}

std::optional<Address> unix_address(const std::string& path) {
  Address address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
  if (path.size() >= sizeof local.sun_path) return std::nullopt;
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.c_str(), path.size() + 1);
  address.length = sizeof local;
  return address;
}

std::string text_of(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (address.storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, buffer.data(), buffer.size());
    return std::string(buffer.data()) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  if (address.storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, buffer.data(), buffer.size());
    return "[" + std::string(buffer.data()) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  return "unix";
}

// A new socket inside a network namespace.
Result<int> make_socket(int family, const std::string& network_namespace) {
  constexpr int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  int own = -1, other = -1;
  if (!network_namespace.empty()) {
    other = ::open(network_namespace.c_str(), O_RDONLY | O_CLOEXEC);
    if (other < 0) return system_error("open namespace " + network_namespace, errno);
    own = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (own < 0 || ::setns(other, CLONE_NEWNET) != 0) {
      const int number = errno;
      ::close(other);
      if (own >= 0) ::close(own);
      return system_error("join namespace " + network_namespace, number);
    }
  }
  const int fd = ::socket(family, type, 0);
  const int number = errno;
  if (own >= 0) {
    // Going on in somebody else's namespace would be far worse than ending.
    KEELSON_CHECK(::setns(own, CLONE_NEWNET) == 0);
    ::close(own);
    ::close(other);
  }
  if (fd < 0) return system_error("make socket", number);
  return fd;
}

class LinuxStream final : public Stream {
 public:
  LinuxStream(LinuxLoop& loop, int fd, std::string peer)
      : loop_(loop), state_(std::make_shared<State>()) {
    state_->fd = fd;
    state_->peer = std::move(peer);
  }
  ~LinuxStream() override {
    state_->open = false;
    state_->watch.reset();
    ::close(state_->fd);
  }

  void start(Events events) override {
    state_->events = std::move(events);
    const std::shared_ptr<State> state = state_;
    state->watch = loop_.watch_fd(state->fd, !state->paused, !state->waiting().empty(),
                                  [state, &loop = loop_](bool readable, bool writable) {
                                    if (writable && state->open) flush(*state, loop);
                                    if (readable && state->open) receive(state, loop);
                                  });
  }

  void write(std::string_view bytes) override {
    State& state = *state_;
    if (state.broken || bytes.empty()) return;
    if (state.waiting().empty()) {
      const ssize_t n = ::send(state.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN && errno != EINTR) {
        state.broken = true;  // the reading side reports the end
        return;
      }
      if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
      if (bytes.empty()) return;
    }
    state.buffer.append(bytes);
    update(state, loop_);
  }

  std::size_t buffered() const override { return state_->waiting().size(); }

  void pause(bool paused) override {
    const std::shared_ptr<State> state = state_;
    if (std::exchange(state->paused, paused) == paused) return;
    update(*state, loop_);
    if (!paused && state->hung_up) {
      const std::weak_ptr<State> weak = state;
      loop_.post([weak, &loop = loop_] {
        if (const auto s = weak.lock(); s && s->open && !s->paused) receive(s, loop);
      });
    }
  }

  void shutdown_write() override {
    state_->closing = true;
    if (state_->waiting().empty()) ::shutdown(state_->fd, SHUT_WR);
  }

  std::string peer() const override { return state_->peer; }

 private:
  // Shared with the loop's callback, so that the stream may be dropped inside its own events.
  struct State {
    int fd = -1;
    std::string peer;
    Events events;
    std::shared_ptr<void> watch;
    std::string buffer;
    std::size_t sent = 0;  // of buffer
    bool open = true, paused = false, closing = false, broken = false, ended = false;
    bool hung_up = false;  // while paused; the watch has been ended
    std::string_view waiting() const { return std::string_view(buffer).substr(sent); }
  };

  static void update(State& state, LinuxLoop& loop) {
    if (state.watch) loop.change_watch(state.watch, !state.paused, !state.waiting().empty());
  }

  static void flush(State& state, LinuxLoop& loop) {
    while (!state.waiting().empty()) {
      const std::string_view bytes = state.waiting();
      const ssize_t n = ::send(state.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) {
        if (state.sent > state.buffer.size() / 2) {
          state.buffer.erase(0, state.sent);
          state.sent = 0;
        }
        return;
      }
      if (n < 0) {
        state.broken = true;
        state.buffer.clear();
        state.sent = 0;
        update(state, loop);
        return;
      }
      state.sent += static_cast<std::size_t>(n);
    }
    state.buffer.clear();
    state.sent = 0;
    if (state.buffer.capacity() > 1024 * 1024) state.buffer.shrink_to_fit();
    update(state, loop);
    if (state.closing) ::shutdown(state.fd, SHUT_WR);
    if (state.events.on_drained) state.events.on_drained();
  }

  static void receive(const std::shared_ptr<State>& state, LinuxLoop& loop) {
    if (state->paused) {
      // Only a hang-up comes while paused, and it would come for ever: look again when resumed.
      state->hung_up = true;
      state->watch.reset();
      return;
    }
    static thread_local std::array<char, kReadBytes> buffer;
    for (int turn = 0; (turn < kReadsPerTurn || state->hung_up) && state->open && !state->paused;
         ++turn) {
      const ssize_t n = ::recv(state->fd, buffer.data(), buffer.size(), 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) {
        if (std::exchange(state->ended, true)) return;
        if (n < 0) state->broken = true;
        state->watch.reset();
        // Bytes that still wait go out as far as the kernel takes them now.
        if (!state->broken && !state->waiting().empty()) keep_flushing(state, loop);
        if (state->events.on_end) state->events.on_end();
        return;
      }
      if (state->events.on_data)
        state->events.on_data(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
      if (static_cast<std::size_t>(n) < buffer.size() && !state->hung_up) return;
    }
  }

  // After the peer's end only writing goes on (half-closed).
  static void keep_flushing(const std::shared_ptr<State>& state, LinuxLoop& loop) {
    const std::weak_ptr<State> weak = state;
    state->watch = loop.watch_fd(state->fd, false, true, [weak, &loop](bool, bool) {
      const std::shared_ptr<State> s = weak.lock();
      if (!s || !s->open) return;
      flush(*s, loop);
      if (s->broken || s->waiting().empty()) s->watch.reset();
    });
  }

  LinuxLoop& loop_;
  std::shared_ptr<State> state_;
};

void set_tcp_options(int fd) {
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
}

class LinuxListener final : public Listener {
 public:
  LinuxListener(LinuxLoop& loop, int fd, int port, std::string path,
                std::function<void(std::unique_ptr<Stream>)> on_accept)
      : loop_(loop), fd_(fd), port_(port), path_(std::move(path)) {
    on_accept_ =
        std::make_shared<std::function<void(std::unique_ptr<Stream>)>>(std::move(on_accept));
    watch_ = loop_.watch_fd(fd_, true, false, [this](bool, bool) { accept_some(); });
  }
  ~LinuxListener() override {
    *alive_ = false;
    watch_.reset();
    ::close(fd_);
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  int port() const override { return port_; }

 private:
  void accept_some() {
    const auto on_accept = on_accept_;
    const auto alive = alive_;
    for (int i = 0; i < kAcceptsPerTurn && *alive; ++i) {
      Address peer;
      peer.length = sizeof peer.storage;
      const int fd = ::accept4(fd_, peer.get(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == ECONNABORTED || errno == EINTR) continue;
        // Out of descriptors: leave the peers in the queue and look again soon.
        if (errno != EAGAIN) pause();
        return;
      }
      if (path_.empty()) set_tcp_options(fd);
      (*on_accept)(std::make_unique<LinuxStream>(loop_, fd, text_of(peer)));
    }
  }
  void pause() {
    loop_.change_watch(watch_, false, false);
    resume_ = loop_.call_at(loop_.now() + kAcceptPause,
                            [this] { loop_.change_watch(watch_, true, false); });
  }

  LinuxLoop& loop_;
  int fd_, port_;
  std::string path_;
  std::shared_ptr<std::function<void(std::unique_ptr<Stream>)>> on_accept_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::shared_ptr<void> watch_, resume_;
};

class LinuxSockets final : public Sockets {
 public:
  explicit LinuxSockets(LinuxLoop& loop) : loop_(loop) { ::signal(SIGPIPE, SIG_IGN); }
  ~LinuxSockets() override {
    for (auto& [id, connecting] : connecting_) {
      connecting.watch.reset();
      ::close(connecting.fd);
    }
  }

  using OnAccept = std::function<void(std::unique_ptr<Stream>)>;
  using OnConnect = std::function<void(Result<std::unique_ptr<Stream>>)>;

  Result<std::unique_ptr<Listener>> listen(const std::string& address, int port, OnAccept on_accept,
                                           const std::string& network_namespace) override {
    const std::string what = "listen tcp " + address + ":" + std::to_string(port);
    std::optional<Address> local =
        numeric_address(address == "localhost" ? "127.0.0.1" : address, port);
    if (!local) return Error{Reason::bad_request, what + ": no numeric address"};
    TRY(const int fd, make_socket(local->storage.ss_family, network_namespace));
    const int one = 1, zero = 0;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address.empty()) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (::bind(fd, local->get(), local->length) != 0 || ::listen(fd, 4096) != 0) {
      const int number = errno;
      ::close(fd);
      return system_error(what, number);
    }
    local->length = sizeof local->storage;
    ::getsockname(fd, local->get(), &local->length);
    const int bound = local->storage.ss_family == AF_INET
                          ? ntohs(reinterpret_cast<sockaddr_in&>(local->storage).sin_port)
                          : ntohs(reinterpret_cast<sockaddr_in6&>(local->storage).sin6_port);
    return std::unique_ptr<Listener>(
        std::make_unique<LinuxListener>(loop_, fd, bound, "", std::move(on_accept)));
  }

  Result<std::unique_ptr<Listener>> listen_unix(const std::string& path,
                                                OnAccept on_accept) override {
    const std::optional<Address> local = unix_address(path);
    if (!local) return Error{Reason::bad_request, "listen unix " + path + ": path too long"};
    TRY(const int fd, make_socket(AF_UNIX, ""));
    ::unlink(path.c_str());  // left behind by a killed process; callers hold a lock of their own
    if (::bind(fd, local->get(), local->length) != 0 || ::chmod(path.c_str(), 0600) != 0 ||
        ::listen(fd, 256) != 0) {
      const int number = errno;
      ::close(fd);
      return system_error("listen unix " + path, number);
    }
    return std::unique_ptr<Listener>(
        std::make_unique<LinuxListener>(loop_, fd, 0, path, std::move(on_accept)));
  }

  // address: numeric, a host name (resolved off the loop), or "unix:PATH".
  void connect(const std::string& address, int port, OnConnect done,
               const std::string& network_namespace) override {
    const bool local = address.starts_with("unix:");
    const std::optional<Address> known =
        local ? unix_address(address.substr(5)) : numeric_address(address, port);
    if (known && !address.empty()) return connect_to(*known, std::move(done), network_namespace);
    if (local || address.empty()) {
      loop_.post([done] { done(Error{Reason::bad_request, "connect: malformed address"}); });
      return;
    }
    auto found = std::make_shared<std::optional<Address>>();
    loop_.offload(
        [found, address, port] { *found = resolve(address, port); },
        [this, found, address, done = std::move(done), network_namespace]() mutable {
          if (!*found)
            return done(Error{Reason::internal_error, "lookup " + address + ": no such host"});
          connect_to(**found, std::move(done), network_namespace);
        });
  }

 private:
  static std::optional<Address> resolve(const std::string& name, int port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (::getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &list) != 0)
      return std::nullopt;
    Address address;
    std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
    address.length = list->ai_addrlen;
    ::freeaddrinfo(list);
    return address;
  }

  struct Connecting {
    int fd = -1;
    std::string what, peer;
    OnConnect done;
    std::shared_ptr<void> watch;
  };

  void connect_to(const Address& address, OnConnect done, const std::string& network_namespace) {
    const std::string what = "dial tcp " + text_of(address);
    Result<int> made = make_socket(address.storage.ss_family, network_namespace);
    if (!made.ok()) {
      loop_.post([done, error = made.error()] { done(error); });
      return;
    }
    const int fd = *made;
    if (address.storage.ss_family != AF_UNIX) set_tcp_options(fd);
    const int code = ::connect(fd, address.get(), address.length);
    if (code != 0 && errno != EINPROGRESS) {
      const Error error = system_error(what, errno);
      ::close(fd);
      loop_.post([done, error] { done(error); });
      return;
    }
    const std::uint64_t id = ++connecting_made_;
    Connecting& connecting = connecting_[id];
    connecting.fd = fd;
    connecting.what = what;
    connecting.peer = text_of(address);
    connecting.done = std::move(done);
    connecting.watch = loop_.watch_fd(fd, false, true, [this, id](bool, bool) {
      auto node = connecting_.extract(id);
      if (node.empty()) return;
      Connecting ready = std::move(node.mapped());
      ready.watch.reset();
      finish_connect(ready.fd, ready.what, ready.peer, ready.done);
    });
  }

  void finish_connect(int fd, const std::string& what, const std::string& peer,
                      const OnConnect& done) {
    int number = 0;
    socklen_t length = sizeof number;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &length);
    if (number != 0) {
      ::close(fd);
      done(system_error(what, number));
      return;
    }
    done(std::unique_ptr<Stream>(std::make_unique<LinuxStream>(loop_, fd, peer)));
  }

  LinuxLoop& loop_;
  std::map<std::uint64_t, Connecting> connecting_;  // not answered yet
  std::uint64_t connecting_made_ = 0;
};

}  // namespace

std::unique_ptr<Sockets> make_linux_sockets(LinuxLoop& loop) {
  return std::make_unique<LinuxSockets>(loop);
}

}  // namespace keelson::host
