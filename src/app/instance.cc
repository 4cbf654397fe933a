#include "app/instance.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace keelson::app {
namespace {

Error system_error(const std::string& what) {
  return {.reason = Reason::internal_error, .message = what + ": " + std::strerror(errno)};
}

// The last lines of a text file from an offset on, for error messages.
std::string tail_of(const std::string& path, std::streamoff from, std::size_t lines) {
  std::ifstream file(path);
  file.seekg(from);
  std::vector<std::string> all;
  for (std::string line; std::getline(file, line);) {
    all.push_back(line);
    if (all.size() > lines) all.erase(all.begin());
  }
  return join(all, "\n");
}

// Sleeps 2 ms: what is waited for, another process's lock, tells nobody when it is let go. Callers
// look again a limited number of times.
void pause_briefly() {
  poll(nullptr, 0, 2);
}

}  // namespace

std::string home_of_instances() {
  if (const char* home = std::getenv("KEELSON_HOME"); home != nullptr && *home != '\0')
    return std::filesystem::absolute(home).lexically_normal().string();
  if (geteuid() == 0) return "/var/lib/keelson";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : "/tmp") + "/.local/share/keelson";
}

Result<Instance> find_instance(const std::string& name, const std::string& directory) {
  bool good = !name.empty() && name.size() <= 40 && name.front() != '-';
  for (const char c : name)
    good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
  if (!good)
    return Error{
        .reason = Reason::bad_request,
        .message = "--name \"" + name + "\": use lower-case letters, digits and \"-\", 40 at most"};
  const std::string place = directory.empty() ? home_of_instances() + "/" + name : directory;
  return Instance{name, std::filesystem::absolute(place).lexically_normal().string()};
}

std::vector<std::string> all_instances() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(home_of_instances(), ignored))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<int> running_pid(const Instance& instance) {
  const int fd = open(instance.lock().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::optional<int> pid;
  if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
    char text[32] = {};
    if (read(fd, text, sizeof text - 1) > 0)
      pid = static_cast<int>(parse_int(trim(text)).value_or(0));
    if (pid == 0) pid.reset();
  }
  close(fd);
  return pid;
}

namespace {

// Nothing has to be written: so that an engine starts on a full disk as well.
bool is_secret_file(const std::string& path, const std::string& text) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || (info.st_mode & 077) != 0)
    return false;
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  return file.good() && content.str() == text;
}

}  // namespace

Result<void> write_secret_file(const std::string& path, const std::string& text) {
  if (is_secret_file(path, text)) return {};
  std::string fresh = path + ".XXXXXX";
  const int fd = mkostemp(fresh.data(), O_CLOEXEC);  // mode 0600, and never somebody's link
  if (fd < 0) return system_error(path);
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t n = write(fd, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  if (!rest.empty() || fsync(fd) != 0 || std::rename(fresh.c_str(), path.c_str()) != 0) {
    const Error error = system_error(path);
    close(fd);
    unlink(fresh.c_str());
    return error;
  }
  close(fd);
  const std::string parent = std::filesystem::absolute(path).parent_path().string();
  if (const int directory = open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      directory >= 0) {
    fsync(directory);
    close(directory);
  }
  return {};
}

Result<void> prepare_directory(const Instance& instance) {
  const std::filesystem::path directory = instance.directory;
  std::error_code failure;
  const auto is_failed = [&] {
    return Error{.reason = Reason::internal_error,
                 .message = instance.directory + ": " + failure.message()};
  };
  std::filesystem::create_directories(directory.parent_path(), failure);
  if (failure) return is_failed();
  if (mkdir(instance.directory.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return system_error(instance.directory);
  bool empty = true;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failure)) {
    const std::string name = entry.path().filename().string();
    for (const std::string_view ours : {"engine.lock", "engine.log", "store", "pki", "node"})
      if (name == ours) return {};
    empty = empty && name == "lost+found";  // of a disk of its own
  }
  if (failure) return is_failed();
  if (empty) return {};
  return Error{.reason = Reason::conflict,
               .message = instance.directory +
                          " has files and none of an engine's: give an engine an empty directory, "
                          "or one that does not exist yet"};
}

Result<InstanceLock> InstanceLock::acquire(const Instance& instance) {
  TRY_VOID(prepare_directory(instance));
  const int fd = open(instance.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return system_error(instance.lock());
  // Who looks whether an engine runs holds the lock for an instant (running_pid).
  bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
  for (int again = 0; !locked && again < 50; ++again) {
    pause_briefly();
    locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
  }
  if (!locked) {
    close(fd);
    return Error{.reason = Reason::conflict,
                 .message = "an engine already runs in " + instance.directory + " (process " +
                            std::to_string(running_pid(instance).value_or(0)) + ")"};
  }
  const std::string text = std::to_string(getpid()) + "\n";
  if (ftruncate(fd, 0) != 0 || write(fd, text.data(), text.size()) < 0) {
    close(fd);
    return system_error(instance.lock());
  }
  return InstanceLock(fd);
}

InstanceLock::~InstanceLock() {
  if (fd_ >= 0) close(fd_);
}

Result<int> start_engine(const Instance& instance, const std::vector<std::string>& arguments,
                         Duration limit, Lifetime lifetime) {
  TRY_VOID(prepare_directory(instance));
  int ready[2];
  if (pipe2(ready, 0) != 0) return system_error("pipe");
  fcntl(ready[0], F_SETFD, FD_CLOEXEC);
  std::vector<std::string> words = {"keelson",     "serve",  "--name",
                                    instance.name, "--data", instance.directory};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int log = open(instance.log().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return system_error(instance.log());
  const off_t log_start = lseek(log, 0, SEEK_END);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return system_error("fork");
  if (pid == 0) {
    setsid();
    if (lifetime == Lifetime::as_ours &&
        (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent))
      _exit(127);
    dup2(nothing, 0);
    dup2(log, 1);
    dup2(log, 2);
    setenv("KEELSON_READY_FD", std::to_string(ready[1]).c_str(), 1);
    execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  close(ready[1]);
  close(log);
  close(nothing);
  pollfd wait{ready[0], POLLIN, 0};
  const int got = poll(&wait, 1, static_cast<int>(limit.count_milliseconds()));
  char byte = 0;
  const bool is_ready = got == 1 && read(ready[0], &byte, 1) == 1;
  close(ready[0]);
  if (is_ready) return static_cast<int>(pid);
  const bool ended = waitpid(pid, nullptr, WNOHANG) == pid;
  return Error{
      .reason = Reason::service_unavailable,
      .message =
          std::string(got == 0 ? "the engine was not ready in time" : "the engine did not start") +
          (ended ? "" : " (process " + std::to_string(pid) + ")") + "; " + instance.log() +
          " ends with:\n" + tail_of(instance.log(), log_start, 10)};
}

namespace {

Result<void> end_engine(const Instance& instance, int signal, Duration limit) {
  const auto pid = running_pid(instance);
  if (!pid) return {};
  if (kill(*pid, signal) != 0 && errno != ESRCH)
    return system_error("kill " + std::to_string(*pid));
  const std::int64_t rounds = limit.count_milliseconds() / 2;
  for (std::int64_t i = 0; i < rounds; ++i) {
    if (!running_pid(instance)) return {};
    pause_briefly();
  }
  return Error{
      .reason = Reason::timeout,
      .message = "process " + std::to_string(*pid) + " is still running after " + to_text(limit)};
}

}  // namespace

Result<void> stop_engine(const Instance& instance, Duration limit) {
  return end_engine(instance, SIGTERM, limit);
}

Result<void> kill_engine(const Instance& instance) {
  return end_engine(instance, SIGKILL, Duration::seconds(10));
}

void announce_ready() {
  const char* text = std::getenv("KEELSON_READY_FD");
  if (text == nullptr) return;
  if (const auto fd = parse_int(text)) {
    const char byte = '\n';
    if (write(static_cast<int>(*fd), &byte, 1) == 1) close(static_cast<int>(*fd));
  }
  unsetenv("KEELSON_READY_FD");
}

}  // namespace keelson::app
