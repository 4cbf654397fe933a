// Lines are collected per read and written with one system call.
#include "node/keeper/log_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace keelson::node {
namespace {

constexpr std::int64_t kFileBytesMax = 10 * 1024 * 1024;
constexpr std::size_t kLineBytesMax = 16 * 1024;

std::string_view time_text(std::array<char, 40>& buffer) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  const std::size_t n = ::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  const int more = std::snprintf(buffer.data() + n, buffer.size() - n, ".%09ldZ", now.tv_nsec);
  return {buffer.data(), n + static_cast<std::size_t>(more)};
}

}  // namespace

LogWriter::LogWriter(std::string path) : path_(std::move(path)) {
  open();
}

LogWriter::~LogWriter() {
  finish();
  if (fd_ >= 0) ::close(fd_);
}

void LogWriter::open() {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  struct stat info {};
  size_ = fd_ >= 0 && ::fstat(fd_, &info) == 0 ? info.st_size : 0;
}

void LogWriter::write(std::string_view stream, std::string_view bytes) {
  std::string& pending = stream == "stdout" ? out_ : err_;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    std::string_view part = bytes.substr(0, end);
    if (pending.size() + part.size() > kLineBytesMax) {
      const std::size_t room = kLineBytesMax - pending.size();
      pending.append(part.substr(0, room));
      line(stream, pending, false);
      pending.clear();
      bytes.remove_prefix(room);
      continue;
    }
    if (end == std::string_view::npos) {
      pending.append(part);
      break;
    }
    if (pending.empty()) {
      line(stream, part, true);
    } else {
      pending.append(part);
      line(stream, pending, true);
      pending.clear();
    }
    bytes.remove_prefix(end + 1);
  }
  flush();
}

void LogWriter::finish() {
  if (!out_.empty()) line("stdout", out_, false);
  if (!err_.empty()) line("stderr", err_, false);
  out_.clear();
  err_.clear();
  flush();
}

void LogWriter::line(std::string_view stream, std::string_view text, bool full) {
  std::array<char, 40> buffer{};
  batch_.append(time_text(buffer)).append(" ").append(stream);
  batch_.append(full ? " F " : " P ").append(text).append("\n");
}

void LogWriter::flush() {
  if (batch_.empty() || fd_ < 0) return batch_.clear();
  std::string_view rest = batch_;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n <= 0) break;  // a full disk loses log lines, never the container
    rest.remove_prefix(static_cast<std::size_t>(n));
    size_ += n;
  }
  batch_.clear();
  if (size_ < kFileBytesMax) return;
  ::close(fd_);
  ::rename(path_.c_str(), (path_ + ".1").c_str());
  open();
}

}  // namespace keelson::node
