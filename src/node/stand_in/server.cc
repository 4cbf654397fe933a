// Connections feed a queue of requests; one at a time is computed, then waits out its latency among
// the others that wait, then is answered. Probes, metrics and the model skip the queue.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/prng.h"
#include "base/text.h"
#include "codec/json.h"
#include "node/keeper/run.h"
#include "node/stand_in/http.h"
#include "node/stand_in/model.h"
#include "node/stand_in/stand_in.h"

namespace keelson::node {
namespace {

constexpr std::size_t kQueueMax = 4096;
constexpr std::size_t kOutputMax = 8 * 1024 * 1024;
constexpr std::int64_t kDrainMilliseconds = 1500;
constexpr std::int64_t kBurnPeriodMilliseconds = 200;
constexpr std::array<double, 12> kBuckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                             0.5,   1,    2.5,   5,    10,  30};

std::int64_t clock_now(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

struct Options {
  std::string address;
  std::vector<int> http_ports, tcp_ports;
  std::set<std::string> probe_paths;
  std::string model_file;  // read again on SIGHUP
  codec::Value model;
  std::int64_t cpu_scale = 1, memory_scale = 1;
};

struct Connection {
  int fd = -1;
  bool echo = false;
  bool busy = false;  // a request of it is in work; the next one waits in `in`
  bool closing = false;
  std::string in, out;
  std::unique_ptr<GrpcHealth> grpc;
};

struct Job {
  int fd = -1;
  std::uint64_t serial = 0;  // of the connection, which may be gone meanwhile
  bool keep_alive = true;
  std::int64_t arrived = 0;
  std::string method;
  std::string memory;
};

class Server {
 public:
  explicit Server(Options options) : options_(std::move(options)), prng_(seed()) {}
  int run();

 private:
  static std::uint64_t seed() {
    return static_cast<std::uint64_t>(clock_now(CLOCK_MONOTONIC)) ^
           static_cast<std::uint64_t>(::getpid()) << 32;
  }
  bool take_model(const codec::Value& value, std::string& error);
  void reload();
  void hold_memory();
  bool listen(int port, bool echo);
  void watch(int fd, std::uint32_t events, int op);
  void event(int fd, std::uint32_t events);
  void accept_all(int fd);
  void receive(Connection& connection);
  void consider(Connection& connection);
  void answer_now(Connection& connection, const HttpRequest& request);
  void send(Connection& connection, std::string_view bytes);
  void flush(Connection& connection);
  void close(int fd);
  void compute(std::int64_t declared_nanoseconds) const;
  void work_one();
  void answer_due(std::int64_t now);
  void burn_base(std::int64_t now);
  int timeout(std::int64_t now) const;
  std::string metrics() const;
  void begin_drain();
  bool is_drained(std::int64_t now) const;

  Options options_;
  StandInModel model_;
  Prng prng_;
  int epoll_ = -1, signals_ = -1;
  std::map<int, bool> listeners_;  // echo?
  std::map<int, Connection> connections_;
  std::map<int, std::uint64_t> serials_;
  std::uint64_t serial_next_ = 1;
  std::deque<Job> queue_;
  std::multimap<std::int64_t, Job> waiting_;  // by the time of the answer
  std::string memory_;
  std::int64_t burnt_at_ = 0;
  std::int64_t drain_until_ = 0;           // 0: serving
  std::map<int, std::uint64_t> answered_;  // by status code
  std::array<std::uint64_t, kBuckets.size()> histogram_{};
  double seconds_sum_ = 0;
  std::uint64_t seconds_count_ = 0;
};

bool Server::take_model(const codec::Value& value, std::string& error) {
  const auto model = parse_model(value);
  if (!model.ok()) {
    error = model.error().message;
    return false;
  }
  model_ = *model;
  options_.model = value;
  hold_memory();
  return true;
}

// A model that does not parse changes nothing.
void Server::reload() {
  const auto model = codec::parse_json(read_file(options_.model_file, 64 * 1024));
  std::string error = model.ok() ? "" : model.error().message;
  if (model.ok()) take_model(*model, error);
  std::printf("stand-in: %s\n",
              error.empty() ? "the model was replaced" : ("model: " + error).c_str());
  std::fflush(stdout);
}

void Server::hold_memory() {
  const auto wanted = static_cast<std::size_t>(model_.memory / options_.memory_scale);
  if (memory_.size() == wanted) return;
  std::string().swap(memory_);
  memory_.resize(wanted, 'k');  // touched, so that it is resident
}

bool Server::listen(int port, bool echo) {
  const bool any = options_.address.empty();
  const int fd = ::socket(any ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1, zero = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  int code = -1;
  if (any) {
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    sockaddr_in6 local{};
    local.sin6_family = AF_INET6;
    local.sin6_port = htons(static_cast<std::uint16_t>(port));
    code = ::bind(fd, reinterpret_cast<sockaddr*>(&local), sizeof local);
  } else {
    sockaddr_in local{};
    local.sin_family = AF_INET;
    local.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, options_.address.c_str(), &local.sin_addr);
    code = ::bind(fd, reinterpret_cast<sockaddr*>(&local), sizeof local);
  }
  if (code != 0 || ::listen(fd, 1024) != 0) {
    std::fprintf(stderr, "listen on port %d: %s\n", port, std::strerror(errno));
    return false;
  }
  listeners_[fd] = echo;
  watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  return true;
}

void Server::watch(int fd, std::uint32_t events, int op) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  ::epoll_ctl(epoll_, op, fd, &event);
}

int Server::run() {
  std::string error;
  if (!take_model(options_.model, error)) {
    std::fprintf(stderr, "model: %s\n", error.c_str());
    return 2;
  }
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  const std::int64_t wait = model_.start_up.count_nanoseconds();
  const timespec limit{wait / 1'000'000'000, wait % 1'000'000'000};
  // Starting up, it can be told to end.
  sigset_t ends = set;
  sigdelset(&ends, SIGHUP);
  if (wait > 0 && ::sigtimedwait(&ends, nullptr, &limit) > 0) return 0;
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  signals_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  watch(signals_, EPOLLIN, EPOLL_CTL_ADD);
  for (const int port : options_.http_ports)
    if (!listen(port, false)) return 1;
  for (const int port : options_.tcp_ports)
    if (!listen(port, true)) return 1;
  std::printf("stand-in: ready, model %s\n", codec::to_json(options_.model).c_str());
  std::fflush(stdout);
  burnt_at_ = clock_now(CLOCK_MONOTONIC);
  std::array<epoll_event, 64> events;
  while (true) {
    std::int64_t now = clock_now(CLOCK_MONOTONIC);
    const int n = ::epoll_wait(epoll_, events.data(), events.size(), timeout(now));
    for (int i = 0; i < n; i++)
      event(events[static_cast<std::size_t>(i)].data.fd,
            events[static_cast<std::size_t>(i)].events);
    if (!queue_.empty()) work_one();
    now = clock_now(CLOCK_MONOTONIC);
    burn_base(now);
    answer_due(now);
    if (drain_until_ != 0 && is_drained(now)) return 0;
  }
}

int Server::timeout(std::int64_t now) const {
  if (!queue_.empty()) return 0;
  std::int64_t next = INT64_MAX;
  if (!waiting_.empty()) next = waiting_.begin()->first;
  if (model_.cpu_milli > 0) next = std::min(next, burnt_at_ + kBurnPeriodMilliseconds * 1'000'000);
  if (drain_until_ != 0) next = std::min(next, std::max(drain_until_, now + 10'000'000));
  if (next == INT64_MAX) return -1;
  return static_cast<int>(std::max<std::int64_t>(0, (next - now + 999'999) / 1'000'000));
}

void Server::event(int fd, std::uint32_t events) {
  if (fd == signals_) {
    signalfd_siginfo info{};
    while (::read(signals_, &info, sizeof info) == sizeof info)
      info.ssi_signo == SIGHUP ? reload() : begin_drain();
    return;
  }
  if (listeners_.contains(fd)) return accept_all(fd);
  const auto at = connections_.find(fd);
  if (at == connections_.end()) return;
  if (events & EPOLLOUT) flush(at->second);
  if (connections_.contains(fd) && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) receive(at->second);
}

// Endpoints and proxies learn of the end a moment later than we do: go on serving for that long,
// but keep no connection; then finish what is in work.
void Server::begin_drain() {
  if (drain_until_ != 0) return;
  drain_until_ = clock_now(CLOCK_MONOTONIC) + kDrainMilliseconds * 1'000'000;
  if (listeners_.empty()) drain_until_ = 1;
}

bool Server::is_drained(std::int64_t now) const {
  if (now < drain_until_) return false;
  if (!queue_.empty() || !waiting_.empty()) return false;
  return std::none_of(connections_.begin(), connections_.end(),
                      [](const auto& entry) { return !entry.second.out.empty(); });
}

void Server::accept_all(int fd) {
  while (true) {
    const int peer = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer < 0) return;
    const int one = 1;
    ::setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Connection& connection = connections_[peer];
    connection.fd = peer;
    connection.echo = listeners_.at(fd);
    serials_[peer] = serial_next_++;
    watch(peer, EPOLLIN, EPOLL_CTL_ADD);
  }
}

void Server::close(int fd) {
  connections_.erase(fd);
  serials_.erase(fd);
  ::close(fd);
}

void Server::receive(Connection& connection) {
  static std::array<char, 65536> buffer;
  const ssize_t n = ::recv(connection.fd, buffer.data(), buffer.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close(connection.fd);
  if (connection.echo) return send(connection, {buffer.data(), static_cast<std::size_t>(n)});
  connection.in.append(buffer.data(), static_cast<std::size_t>(n));
  consider(connection);
}

// Takes the next request of the connection, if one is complete and none is in work.
void Server::consider(Connection& connection) {
  const int fd = connection.fd;
  while (!connection.busy) {
    if (connection.grpc || GrpcHealth::is_preface(connection.in)) {
      if (!connection.grpc) connection.grpc = std::make_unique<GrpcHealth>();
      std::string out;
      const bool open = connection.grpc->converse(connection.in, out, drain_until_ == 0);
      send(connection, out);
      if (!open && connections_.contains(fd)) close(fd);
      return;
    }
    if (connection.in.empty() || GrpcHealth::may_be_preface(connection.in)) return;
    HttpRequest request;
    const HttpStep step = take_request(connection.in, request);
    if (step == HttpStep::incomplete) return;
    if (step == HttpStep::bad) {
      connection.closing = true;
      return send(connection, http_response(400, "text/plain", "bad request\n", false));
    }
    if (drain_until_ != 0) request.keep_alive = false;
    if (request.path == "/metrics" || request.path.starts_with("/_keelson/") ||
        options_.probe_paths.contains(request.path) || queue_.size() >= kQueueMax) {
      answer_now(connection, request);
      if (!connections_.contains(fd)) return;
      continue;
    }
    connection.busy = true;
    Job job;
    job.fd = fd;
    job.serial = serials_.at(fd);
    job.keep_alive = request.keep_alive;
    job.arrived = clock_now(CLOCK_MONOTONIC);
    job.method = request.method;
    queue_.push_back(std::move(job));
  }
}

void Server::answer_now(Connection& connection, const HttpRequest& request) {
  std::string response;
  const auto text = [&](int code, std::string_view body) {
    response = http_response(code, "text/plain", body, request.keep_alive);
  };
  if (request.path == "/metrics") {
    response = http_response(200, "text/plain; version=0.0.4", metrics(), request.keep_alive);
  } else if (request.path == "/_keelson/model") {
    std::string error;
    if (request.method == "POST" || request.method == "PUT") {
      const auto model = codec::parse_json(request.body);
      if (!model.ok())
        error = model.error().message;
      else
        take_model(*model, error);
    }
    if (error.empty())
      response = http_response(200, "application/json", codec::to_json(options_.model) + "\n",
                               request.keep_alive);
    else
      text(400, error + "\n");
  } else if (request.path.starts_with("/_keelson/")) {
    text(404, "not found\n");
  } else if (options_.probe_paths.contains(request.path)) {
    text(200, "ok\n");
  } else {
    answered_[503]++;
    text(503, "too many requests wait\n");
  }
  if (!request.keep_alive) connection.closing = true;
  send(connection, response);
}

void Server::send(Connection& connection, std::string_view bytes) {
  if (connection.out.size() + bytes.size() > kOutputMax) return close(connection.fd);
  connection.out.append(bytes);
  flush(connection);
}

void Server::flush(Connection& connection) {
  const int fd = connection.fd;
  while (!connection.out.empty()) {
    const ssize_t n = ::send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return watch(fd, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    if (n <= 0) return close(fd);
    connection.out.erase(0, static_cast<std::size_t>(n));
  }
  if (connection.closing) return close(fd);
  watch(fd, EPOLLIN, EPOLL_CTL_MOD);
}

// Burns processor time, not wall time: under a quota it takes as much longer as real work would.
void Server::compute(std::int64_t declared_nanoseconds) const {
  const std::int64_t end = clock_now(CLOCK_THREAD_CPUTIME_ID) +
                           declared_nanoseconds / std::max<std::int64_t>(1, options_.cpu_scale);
  volatile double x = 1;
  while (clock_now(CLOCK_THREAD_CPUTIME_ID) < end)
    for (int i = 0; i < 200; i++) x = std::sqrt(x + i);
}

void Server::work_one() {
  Job job = std::move(queue_.front());
  queue_.pop_front();
  compute(model_.cpu_per_request.count_nanoseconds());
  job.memory.resize(static_cast<std::size_t>(model_.memory_per_request / options_.memory_scale),
                    'r');
  std::int64_t latency = model_.latency.count_nanoseconds();
  if (const std::int64_t jitter = model_.jitter.count_nanoseconds(); jitter > 0)
    latency += static_cast<std::int64_t>(prng_.below(static_cast<std::uint64_t>(jitter)));
  waiting_.emplace(clock_now(CLOCK_MONOTONIC) + latency, std::move(job));
}

void Server::answer_due(std::int64_t now) {
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    const Job job = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    const int code = prng_.unit() < model_.error_rate ? 500 : 200;
    answered_[code]++;
    const double seconds = static_cast<double>(now - job.arrived) / 1e9;
    seconds_sum_ += seconds;
    seconds_count_++;
    for (std::size_t i = 0; i < kBuckets.size(); i++)
      if (seconds <= kBuckets[i]) histogram_[i]++;
    const auto at = connections_.find(job.fd);
    if (at == connections_.end() || serials_.at(job.fd) != job.serial) continue;
    Connection& connection = at->second;
    connection.busy = false;
    if (!job.keep_alive || drain_until_ != 0) connection.closing = true;
    const bool keep = !connection.closing;
    const std::string body = code == 200 ? "{\"status\":\"ok\",\"standIn\":true}\n"
                                         : "{\"status\":\"error\",\"standIn\":true}\n";
    send(connection,
         http_response(code, "application/json", job.method == "HEAD" ? "" : body, keep));
    if (keep && connections_.contains(job.fd)) consider(connections_.at(job.fd));
  }
}

void Server::burn_base(std::int64_t now) {
  if (model_.cpu_milli == 0 || now - burnt_at_ < kBurnPeriodMilliseconds * 1'000'000) return;
  // What a throttled moment missed is not made up for.
  const std::int64_t span = std::min<std::int64_t>(now - burnt_at_, 1'000'000'000);
  burnt_at_ = now;
  compute(span * model_.cpu_milli / 1000);
}

std::string Server::metrics() const {
  std::string out;
  std::array<char, 160> line{};
  const auto add = [&](const char* format, auto... values) {
    const int n = std::snprintf(line.data(), line.size(), format, values...);
    out.append(line.data(), static_cast<std::size_t>(n));
  };
  out += "# TYPE http_requests_total counter\n";
  for (const auto& [code, count] : answered_)
    add("http_requests_total{code=\"%d\"} %llu\n", code, static_cast<unsigned long long>(count));
  out += "# TYPE http_request_duration_seconds histogram\n";
  for (std::size_t i = 0; i < kBuckets.size(); i++)
    add("http_request_duration_seconds_bucket{le=\"%g\"} %llu\n", kBuckets[i],
        static_cast<unsigned long long>(histogram_[i]));
  add("http_request_duration_seconds_bucket{le=\"+Inf\"} %llu\n",
      static_cast<unsigned long long>(seconds_count_));
  add("http_request_duration_seconds_sum %.6f\n", seconds_sum_);
  add("http_request_duration_seconds_count %llu\n",
      static_cast<unsigned long long>(seconds_count_));
  out += "# TYPE http_requests_in_flight gauge\n";
  add("http_requests_in_flight %zu\n", queue_.size() + waiting_.size());
  out += "# TYPE process_cpu_seconds_total counter\n";
  add("process_cpu_seconds_total %.6f\n",
      static_cast<double>(clock_now(CLOCK_PROCESS_CPUTIME_ID) * options_.cpu_scale) / 1e9);
  out += "# TYPE keelson_stand_in_memory_bytes gauge\n";
  add("keelson_stand_in_memory_bytes %lld\n", static_cast<long long>(model_.memory));
  return out;
}

}  // namespace

int stand_in_main(int argc, char** argv) {
  Options options;
  options.model = codec::Value::object();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string value = argv[i + 1];
    const std::int64_t number = parse_int(value).value_or(0);
    if (name == "--port")
      options.http_ports.push_back(static_cast<int>(number));
    else if (name == "--tcp")
      options.tcp_ports.push_back(static_cast<int>(number));
    else if (name == "--probe")
      options.probe_paths.insert(value);
    else if (name == "--address")
      options.address = value;
    else if (name == "--cpu-scale")
      options.cpu_scale = std::max<std::int64_t>(1, number);
    else if (name == "--memory-scale")
      options.memory_scale = std::max<std::int64_t>(1, number);
    else if (name == "--model-file")
      options.model_file = value;
    else if (name == "--model") {
      auto model = codec::parse_json(value);
      if (!model.ok()) {
        std::fprintf(stderr, "--model: %s\n", model.error().message.c_str());
        return 2;
      }
      options.model = std::move(model).value();
    } else {
      std::fprintf(stderr, "unknown option %s\n", argv[i]);
      return 2;
    }
  }
  if (!options.model_file.empty()) {
    auto model = codec::parse_json(read_file(options.model_file, 64 * 1024));
    if (!model.ok()) {
      std::fprintf(stderr, "%s: %s\n", options.model_file.c_str(), model.error().message.c_str());
      return 2;
    }
    options.model = std::move(model).value();
  }
  return Server(std::move(options)).run();
}

}  // namespace keelson::node
