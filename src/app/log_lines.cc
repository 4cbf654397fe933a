#include "app/log_lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <string>
#include <string_view>

namespace keelson::app {
namespace {

std::string time_text() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char text[40];
  const std::size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(text + length, sizeof text - length, ".%03ldZ ", now.tv_nsec / 1'000'000);
  return text;
}

struct Log {
  bool starts = true;  // a line
  std::string path;    // empty: not a file of ours
  std::int64_t size_max = 0, size = 0;
};

bool is_same_file(int fd, const struct stat& other) {
  struct stat info {};
  return fstat(fd, &info) == 0 && info.st_dev == other.st_dev && info.st_ino == other.st_ino;
}

void rotate(Log& log) {
  struct stat old {};
  log.size = 0;  // if it fails: not again at every line
  if (fstat(STDERR_FILENO, &old) != 0 || rename(log.path.c_str(), (log.path + ".1").c_str()) != 0)
    return;
  const int fresh = open(log.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fresh < 0) return;
  if (is_same_file(STDOUT_FILENO, old)) dup2(fresh, STDOUT_FILENO);
  dup2(fresh, STDERR_FILENO);
  close(fresh);
}

// A line may come in pieces: the time goes before the first.
ssize_t write_stamped(void* to, const char* data, std::size_t size) {
  Log& log = *static_cast<Log*>(to);
  bool& starts = log.starts;
  if (starts && !log.path.empty() && log.size > log.size_max) rotate(log);
  std::string out;
  for (std::string_view rest(data, size); !rest.empty();) {
    if (starts) out += time_text();
    const std::size_t end = rest.find('\n');
    starts = end != std::string_view::npos;
    const std::size_t length = starts ? end + 1 : rest.size();
    out += rest.substr(0, length);
    rest.remove_prefix(length);
  }
  for (std::string_view rest = out; !rest.empty();) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written <= 0) break;  // nobody reads; the engine goes on
    log.size += written;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return static_cast<ssize_t>(size);
}

}  // namespace

void stamp_log_lines(const std::string& path, std::int64_t size_max) {
  static Log log;
  struct stat info {};
  if (!path.empty() && stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
      is_same_file(STDERR_FILENO, info)) {
    log.path = path;
    log.size = info.st_size;
    log.size_max = size_max;
  }
  cookie_io_functions_t functions{};
  functions.write = write_stamped;
  FILE* stream = fopencookie(&log, "w", functions);
  if (stream == nullptr) return;
  setvbuf(stream, nullptr, _IOLBF, 4096);
  stderr = stream;
}

}  // namespace keelson::app
