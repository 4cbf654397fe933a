// Files and pipes of one container.
#include "node/keeper/run.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "codec/json.h"

namespace keelson::node {
namespace {

void shut(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

int open_pipe(const std::string& path, int flags) {
  if (::mkfifo(path.c_str(), 0666) != 0 && errno != EEXIST) return -1;
  ::chmod(path.c_str(), 0666);  // a container's user opens /dev/stdout by name
  return ::open(path.c_str(), flags | O_CLOEXEC);
}

}  // namespace

Run::~Run() {
  close_fds();
}

void Run::close_fds() {
  for (int* fd : {&out_fd, &err_fd, &in_fd, &terminal_fd, &console_listener, &pid_fd}) shut(*fd);
}

std::string open_pipes(Run& run, bool with_stdin, int child_fds[3]) {
  child_fds[0] = child_fds[1] = child_fds[2] = -1;
  run.out_fd = open_pipe(run.directory + "/out", O_RDONLY | O_NONBLOCK);
  run.err_fd = open_pipe(run.directory + "/err", O_RDONLY | O_NONBLOCK);
  child_fds[1] = ::open((run.directory + "/out").c_str(), O_RDWR | O_CLOEXEC);
  child_fds[2] = ::open((run.directory + "/err").c_str(), O_RDWR | O_CLOEXEC);
  if (with_stdin) {
    run.in_fd = open_pipe(run.directory + "/in", O_RDWR | O_NONBLOCK);
    child_fds[0] = ::open((run.directory + "/in").c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (run.out_fd < 0 || run.err_fd < 0 || child_fds[1] < 0 || child_fds[2] < 0)
    return std::string("open pipes: ") + std::strerror(errno);
  return {};
}

std::string read_file(const std::string& path, std::size_t bytes_max) {
  std::string text;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  text.resize(bytes_max);
  const ssize_t n = ::read(fd, text.data(), text.size());
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  ::close(fd);
  return text;
}

void write_file(const std::string& path, const std::string& text) {
  const std::string next = path + ".new";
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return;
  const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  if (whole) ::rename(next.c_str(), path.c_str());
}

std::string launcher_message(const std::string& directory) {
  std::string text = read_file(directory + "/launch.log", 4096);
  // crun writes {"msg": "...", "level": ..., "time": ...} or plain lines.
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (const auto parsed = codec::parse_json(line); parsed.ok() && parsed->has("msg"))
      line = (*parsed)["msg"].str();
    if (line.empty()) continue;
    if (!out.empty()) out += "; ";
    out += line;
  }
  return out;
}

bool was_out_of_memory(const std::string& file) {
  if (file.empty()) return false;
  const std::string text = read_file(file, 4096);
  const std::size_t at = text.find("oom_kill ");
  return at != std::string::npos && text[at + 9] >= '1' && text[at + 9] <= '9';
}

}  // namespace keelson::node
