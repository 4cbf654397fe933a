#include "net/ingress/haproxy.h"

#include <csignal>

#include "base/text.h"
#include "net/address_plan.h"

namespace keelson::net {
namespace {

constexpr std::size_t kCommandsPerCall = 64;  // its command buffer is 16 KiB
constexpr std::size_t kAnswerBytesMax = 256 * 1024;
const Duration kReadyLimit = Duration::seconds(10);
const Duration kReadyPoll = Duration::milliseconds(5);
const Duration kStopLimit = Duration::seconds(3);
const Duration kAskLimit = Duration::seconds(3);

int pid_in(const std::string& info) {
  for (const std::string& line : split(info, '\n'))
    if (line.starts_with("Pid: "))
      return static_cast<int>(parse_int(trim(std::string_view(line).substr(5))).value_or(0));
  return 0;
}

// What it says when it did what it was told is nothing, or that an address changed.
bool is_complaint(std::string_view line) {
  return !line.empty() && !line.starts_with("IP changed") && !line.starts_with("port changed") &&
         !line.starts_with("no need to change");
}

}  // namespace

Haproxy::Haproxy(host::Loop& loop, host::Processes& processes, host::Sockets& sockets,
                 host::Files& files, std::string directory, std::function<void()> on_lost)
    : loop_(loop),
      processes_(processes),
      sockets_(sockets),
      files_(files),
      directory_(std::move(directory)),
      on_lost_(std::move(on_lost)) {}

void Haproxy::ask(const std::string& commands, Answer done) {
  struct Asking {
    std::unique_ptr<host::Stream> stream;
    std::string text;
    Answer done;
    std::shared_ptr<void> timer;
    void finish(Result<std::string> result) {
      if (auto call = std::exchange(done, {})) call(std::move(result));
    }
  };
  auto asking = std::make_shared<Asking>();
  asking->done = std::move(done);
  asking->timer = loop_.call_at(loop_.now() + kAskLimit, [weak = std::weak_ptr(asking)] {
    if (const auto a = weak.lock())
      a->finish(Error{Reason::timeout, "haproxy does not answer on its admin socket"});
  });
  sockets_.connect(
      "unix:" + socket_path(), 0,
      [asking, commands, &loop = loop_](Result<std::unique_ptr<host::Stream>> connected) {
        if (!connected.ok()) return asking->finish(connected.error());
        asking->stream = std::move(*connected);
        // The stream's events keep it alive until its end.
        asking->stream->start({.on_data =
                                   [asking](std::string_view bytes) {
                                     if (asking->text.size() < kAnswerBytesMax)
                                       asking->text += bytes;
                                   },
                               .on_end =
                                   [asking, &loop] {
                                     asking->finish(std::move(asking->text));
                                     asking->timer.reset();
                                     loop.post([asking] { asking->stream.reset(); });
                                   },
                               .on_drained = {}});
        asking->stream->write(commands + "\n");
      });
}

void Haproxy::find(std::function<void(int)> done) {
  if (pid_ != 0) return done(pid_);
  if (!files_.exists(socket_path())) return done(0);
  ask("show info", [done = std::move(done)](const Result<std::string>& info) {
    done(info.ok() ? pid_in(*info) : 0);
  });
}

void Haproxy::load(const std::map<std::string, std::string>& texts,
                   std::function<void(Result<void>)> done) {
  if (auto made = files_.make_directories(directory_); !made.ok()) return done(made);
  for (const auto& [name, text] : texts) {
    const std::string path = directory_ + "/" + name, fresh = path + ".new";
    if (files_.exists(fresh)) (void)files_.remove(fresh);
    auto file = files_.open(fresh, true);
    auto written = file.ok() ? (*file)->append(text) : Result<void>(file.error());
    if (written.ok()) written = files_.rename(fresh, path);
    if (!written.ok()) return done(written);
  }
  find([this, alive = std::weak_ptr<bool>(alive_), done = std::move(done)](int old) {
    if (!alive.expired()) spawn(old, done);
  });
}

void Haproxy::spawn(int old, std::function<void(Result<void>)> done) {
  if (stopping_) return done(Error{Reason::service_unavailable, "stopping"});
  host::SpawnOptions options{.argv = {"haproxy", "-db", "-q", "-f", directory_ + "/haproxy.cfg"}};
  if (old != 0)
    options.argv.insert(options.argv.end(), {"-x", socket_path(), "-sf", std::to_string(old)});
  options.new_session = true;
  auto number = std::make_shared<int>(0);
  auto spawned = processes_.spawn(
      options, [this, alive = std::weak_ptr<bool>(alive_), number](host::ExitStatus) {
        if (!alive.expired()) exited(*number);
      });
  if (!spawned.ok()) {
    const bool missing = spawned.error().message.find("no such file") != std::string::npos;
    return done(Error{
        Reason::service_unavailable,
        missing ? "haproxy is not installed (apt-get install haproxy)" : spawned.error().message});
  }
  *number = *spawned;
  alive_pids_.insert(*spawned);
  wait_ready(*spawned, loop_.now() + kReadyLimit, std::move(done));
}

void Haproxy::wait_ready(int pid, Instant limit, std::function<void(Result<void>)> done) {
  if (alive_pids_.count(pid) == 0) return explain(std::move(done));
  ask("show info", [this, alive = std::weak_ptr<bool>(alive_), pid, limit,
                    done = std::move(done)](const Result<std::string>& info) mutable {
    if (alive.expired()) return;
    if (info.ok() && pid_in(*info) == pid) {
      pid_ = pid;
      return done({});
    }
    if (loop_.now() > limit) return done(Error{Reason::timeout, "haproxy does not become ready"});
    timers_.assign(
        1, loop_.call_at(loop_.now() + kReadyPoll, [this, pid, limit, done = std::move(done)] {
          wait_ready(pid, limit, done);
        }));
  });
}

// It ended at once: it says why when it only checks.
void Haproxy::explain(std::function<void(Result<void>)> done) {
  processes_.run({.argv = {"haproxy", "-c", "-q", "-f", directory_ + "/haproxy.cfg"}}, "",
                 [done = std::move(done)](const Result<host::Processes::Output>& output) {
                   std::string why = output.ok() ? output->err : output.error().message;
                   for (const std::string& line : split(why, '\n'))
                     if (line.find("[ALERT]") != std::string::npos) {
                       why = line;
                       break;
                     }
                   done(Error{Reason::internal_error, "haproxy: " + std::string(trim(why))});
                 });
}

void Haproxy::run(const std::vector<std::string>& commands,
                  std::function<void(Result<void>)> done) {
  run_part(std::make_shared<std::vector<std::string>>(commands), 0, std::move(done));
}

void Haproxy::run_part(std::shared_ptr<std::vector<std::string>> commands, std::size_t from,
                       std::function<void(Result<void>)> done) {
  if (from >= commands->size()) return done({});
  const std::size_t to = std::min(commands->size(), from + kCommandsPerCall);
  std::string text;
  for (std::size_t i = from; i < to; ++i) text += (i > from ? ";" : "") + (*commands)[i];
  ask(text, [this, alive = std::weak_ptr<bool>(alive_), commands, to,
             done = std::move(done)](const Result<std::string>& answer) {
    if (alive.expired()) return;
    if (!answer.ok()) return done(answer.error());
    for (const std::string& line : split(*answer, '\n'))
      if (is_complaint(trim(line)))
        return done(Error{Reason::internal_error, "haproxy: " + std::string(trim(line))});
    run_part(commands, to, done);
  });
}

void Haproxy::exited(int pid) {
  alive_pids_.erase(pid);
  if (stopping_) {
    if (alive_pids_.empty() && on_all_gone_) std::exchange(on_all_gone_, {})();
    return;
  }
  if (pid != pid_) return;
  pid_ = 0;
  on_lost_();
}

void Haproxy::stop(std::function<void()> done) {
  stopping_ = true;
  timers_.clear();
  // Found even if this engine process never started one.
  find([this, alive = std::weak_ptr<bool>(alive_), done = std::move(done)](int pid) {
    if (alive.expired()) return done();
    if (pid != 0 && alive_pids_.count(pid) == 0) (void)processes_.signal(pid, SIGTERM);
    for (const int child : alive_pids_) (void)processes_.signal(child, SIGTERM);
    pid_ = 0;
    if (alive_pids_.empty()) return done();
    on_all_gone_ = done;
    timers_.assign(1, loop_.call_at(loop_.now() + kStopLimit, [this] {
      for (const int child : alive_pids_) (void)processes_.signal(child, SIGKILL);
    }));
  });
}

}  // namespace keelson::net
