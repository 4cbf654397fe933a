// Follows the file by offset; a rename by rotation shows as another inode under the same name.
#include "node/log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace keelson::node {
namespace {
constexpr std::size_t kChunk = 64 * 1024;
}

std::string shown_line(std::string_view line, const cluster::LogOptions& options) {
  const std::size_t time_end = line.find(' ');
  if (time_end == std::string_view::npos) return {};
  const std::size_t stream_end = line.find(' ', time_end + 1);
  if (stream_end == std::string_view::npos || line.size() < stream_end + 3) return {};
  const std::string_view time = line.substr(0, time_end);
  const std::string_view stream = line.substr(time_end + 1, stream_end - time_end - 1);
  if (options.stream == "Stdout" && stream != "stdout") return {};
  if (options.stream == "Stderr" && stream != "stderr") return {};
  if (options.since)
    if (const auto at = parse_rfc3339(time); at && *at < *options.since) return {};
  std::string out;
  if (options.timestamps) out.append(time).append(" ");
  out.append(line.substr(stream_end + 3));
  if (line[stream_end + 1] == 'F') out.push_back('\n');
  return out;
}

LogReader::LogReader(std::string path, cluster::LogOptions options)
    : path_(std::move(path)), options_(std::move(options)) {
  if (options_.limit_bytes) left_ = *options_.limit_bytes;
}

LogReader::~LogReader() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> LogReader::open() {
  fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0)
    return Error{Reason::not_found, "failed to try resolving symlinks in path \"" + path_ +
                                        "\": no such file or directory"};
  if (options_.tail_lines) seek_to_tail();
  return {};
}

void LogReader::seek_to_tail() {
  std::int64_t wanted = *options_.tail_lines;
  struct stat info {};
  if (::fstat(fd_, &info) != 0) return;
  offset_ = info.st_size;
  if (wanted <= 0) return;
  std::array<char, kChunk> buffer;
  bool last = true;  // the file's final newline ends a line, it does not begin one
  for (std::int64_t end = info.st_size; end > 0;) {
    const std::int64_t begin = std::max<std::int64_t>(0, end - static_cast<std::int64_t>(kChunk));
    const ssize_t n = ::pread(fd_, buffer.data(), static_cast<std::size_t>(end - begin), begin);
    if (n <= 0) break;
    for (ssize_t i = n - 1; i >= 0; i--) {
      if (buffer[static_cast<std::size_t>(i)] == '\n' && !last && --wanted == 0) {
        offset_ = begin + i + 1;
        return;
      }
      last = false;
    }
    end = begin;
  }
  offset_ = 0;
}

bool LogReader::was_rotated() const {
  struct stat open_file {
  }, named{};
  return ::fstat(fd_, &open_file) == 0 && ::stat(path_.c_str(), &named) == 0 &&
         open_file.st_ino != named.st_ino;
}

std::string LogReader::next() {
  std::string out;
  std::array<char, kChunk> buffer;
  while (out.empty() && left_ > 0) {
    const ssize_t n = ::pread(fd_, buffer.data(), buffer.size(), offset_);
    if (n <= 0) {
      if (!was_rotated()) break;
      const int fresh = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
      if (fresh < 0) break;
      ::close(fd_);
      fd_ = fresh;
      offset_ = 0;
      continue;
    }
    offset_ += n;
    partial_.append(buffer.data(), static_cast<std::size_t>(n));
    std::size_t at = 0;
    for (std::size_t end = 0; (end = partial_.find('\n', at)) != std::string::npos; at = end + 1)
      out += shown_line(std::string_view(partial_).substr(at, end - at), options_);
    partial_.erase(0, at);
  }
  if (static_cast<std::int64_t>(out.size()) > left_) out.resize(static_cast<std::size_t>(left_));
  left_ -= static_cast<std::int64_t>(out.size());
  return out;
}

}  // namespace keelson::node
