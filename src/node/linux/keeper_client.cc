// Connecting: try the socket; if nobody listens, start a keeper and try again until it does.
#include "node/linux/keeper_client.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/prng.h"
#include "base/text.h"
#include "codec/json.h"
#include "node/helper_image.h"

namespace keelson::node {
namespace {

constexpr int kAttemptsMax = 500;
constexpr Duration kAttemptPause = Duration::milliseconds(4);
constexpr Duration kReconnectPause = Duration::seconds(1);
constexpr Duration kReconnectPauseMax = Duration::seconds(30);
constexpr Duration kCallLimit = Duration::minutes(2);

}  // namespace

KeeperClient::KeeperClient(host::Loop& loop, host::Sockets& sockets, host::Processes& processes,
                           std::string directory)
    : loop_(loop), sockets_(sockets), processes_(processes), directory_(std::move(directory)) {}

KeeperClient::~KeeperClient() {
  *alive_ = false;
  ending_ = true;
}

// The program is named by its content, so that an engine of another version leaves ours alone.
Result<void> KeeperClient::install_helper() {
  const std::string_view image = helper_image();
  helper_ = directory_ + "/helper-" + std::to_string(hash64(image));
  struct stat info {};
  if (::stat(helper_.c_str(), &info) == 0 && info.st_size == static_cast<off_t>(image.size()))
    return {};
  const std::string next = helper_ + ".new";
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  if (fd < 0) return Error{Reason::internal_error, "write " + next + ": " + std::strerror(errno)};
  std::string_view rest = image;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd, rest.data(), rest.size());
    if (n <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  ::close(fd);
  if (!rest.empty() || ::rename(next.c_str(), helper_.c_str()) != 0)
    return Error{Reason::internal_error, "write " + helper_ + ": " + std::strerror(errno)};
  return {};
}

void KeeperClient::start(Done done) {
  if (const Result<void> installed = install_helper(); !installed.ok())
    return done(installed.error());
  connect(0, false, std::move(done));
}

Result<void> KeeperClient::spawn() {
  host::SpawnOptions options;
  options.argv = {helper_, "keeper", "--socket", socket_path()};
  options.directory = "/";
  options.new_session = true;
  const Result<int> pid = processes_.spawn(options, [](host::ExitStatus) {});
  if (!pid.ok()) return pid.error();
  return {};
}

void KeeperClient::connect(int attempt, bool started, Done done) {
  sockets_.connect("unix:" + socket_path(), 0,
                   [this, alive = alive_, attempt, started,
                    done = std::move(done)](Result<std::unique_ptr<host::Stream>> stream) mutable {
                     if (!*alive) return;
                     if (stream.ok()) return connected(std::move(stream).value(), std::move(done));
                     if (attempt >= kAttemptsMax)
                       return done(Error{Reason::service_unavailable,
                                         "the keeper does not answer: " + stream.error().message});
                     if (!started)
                       if (const Result<void> spawned = spawn(); !spawned.ok())
                         return done(spawned.error());
                     timer_ = loop_.call_at(loop_.now() + kAttemptPause,
                                            [this, attempt, done = std::move(done)]() mutable {
                                              connect(attempt + 1, true, std::move(done));
                                            });
                   });
}

void KeeperClient::connected(std::unique_ptr<host::Stream> stream, Done done) {
  stream_ = std::move(stream);
  buffer_.clear();
  stream_->start({.on_data = [this](std::string_view bytes) { receive(bytes); },
                  .on_end = [this] { lost(); },
                  .on_drained = {}});
  call(Value::object({{"op", "hello"}}), [this, done = std::move(done)](Result<Value> answer) {
    if (!answer.ok()) return done(answer.error());
    pid_ = static_cast<int>((*answer)["pid"].as_int());
    // A keeper of an earlier version says whether, not why.
    unprivileged_ = (*answer)["unprivileged"].str();
    if (answer->has("privileged") && !(*answer)["privileged"].as_bool())
      unprivileged_ = "not enough privileges";
    done(Result<void>());
  });
}

void KeeperClient::call(Value request, std::function<void(Result<Value>)> done) {
  if (!stream_) {
    loop_.post([done = std::move(done)] {
      done(Error{Reason::service_unavailable, "the keeper is not connected"});
    });
    return;
  }
  const std::int64_t id = next_id_++;
  request.set("id", id);
  waiting_[id] = {std::move(done),
                  loop_.call_at(loop_.now() + kCallLimit, [this, id] { give_up(id); })};
  stream_->write(codec::to_json(request) + "\n");
}

void KeeperClient::receive(std::string_view bytes) {
  buffer_.append(bytes);
  const std::shared_ptr<bool> alive = alive_;
  std::size_t end = 0;
  while (*alive && (end = buffer_.find('\n')) != std::string::npos) {
    const Result<Value> message = codec::parse_json(std::string_view(buffer_).substr(0, end));
    buffer_.erase(0, end + 1);
    if (!message.ok()) continue;
    if (message->has("event")) {
      if (on_event) on_event(*message);
      continue;
    }
    const auto at = waiting_.find((*message)["id"].as_int());
    if (at == waiting_.end()) continue;
    const auto done = std::move(at->second.done);
    waiting_.erase(at);
    if ((*message)["ok"].as_bool())
      done(*message);
    else
      done(Error{Reason::internal_error, (*message)["error"].str()});
  }
}

void KeeperClient::lost() {
  if (ending_) return;
  // Not inside the stream's own call.
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    stream_.reset();
    auto waiting = std::exchange(waiting_, {});
    for (auto& [id, call] : waiting)
      call.done(Error{Reason::service_unavailable, "the keeper was lost"});
    // Lost again before its greeting: then the next try is on its way.
    if (!*alive || std::exchange(reconnecting_, true)) return;
    pause_ = kReconnectPause;
    connect_again();
  });
}

void KeeperClient::connect_again() {
  connect(0, false, [this](Result<void> again) {
    if (again.ok()) {
      reconnecting_ = false;
      if (!problem_.empty()) std::fprintf(stderr, "the keeper of containers answers again\n");
      problem_.clear();
      if (on_replaced) on_replaced();
      return;
    }
    problem_ = "no container starts or ends: " + again.error().message;
    std::fprintf(stderr, "%s; trying again in %s\n", problem_.c_str(), to_text(pause_).c_str());
    // A connection that does not greet is none.
    if (stream_) loop_.post([stream = std::shared_ptr<host::Stream>(std::move(stream_))] {});
    timer_ = loop_.call_at(loop_.now() + pause_, [this] { connect_again(); });
    pause_ = std::min(pause_ * 2, kReconnectPauseMax);
  });
}

void KeeperClient::give_up(std::int64_t id) {
  const auto at = waiting_.find(id);
  if (at == waiting_.end()) return;
  const auto done = std::move(at->second.done);
  waiting_.erase(at);
  done(Error{Reason::timeout, "the keeper did not answer within " + to_text(kCallLimit)});
}

}  // namespace keelson::node
