// The real Files. Appends are positioned writes, so that reserved (already zeroed) room is used and
// fdatasync has no metadata to write. Every failure names the path and the system's reason; a full
// disk is service_unavailable, a missing file not_found, everything else internal_error.
#include "host/linux/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace keelson::host {

namespace {

Error system_error(const char* doing, const std::string& path, int code) {
  Reason reason = Reason::internal_error;
  if (code == ENOENT) reason = Reason::not_found;
  if (code == ENOSPC || code == EDQUOT || code == EMFILE || code == ENFILE)
    reason = Reason::service_unavailable;
  return {reason, std::string(doing) + " " + path + ": " + std::strerror(code)};
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class LinuxFile : public File {
 public:
  LinuxFile(int fd, std::string path, std::uint64_t size)
      : fd_(fd), path_(std::move(path)), end_(size), size_(size) {}

  Result<void> append(std::string_view bytes) override {
    TRY_VOID(write_at(end_, bytes));
    end_ += bytes.size();
    size_ = std::max(size_, end_);
    return {};
  }
  Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return system_error("sync", path_, errno);
    return {};
  }
  Result<std::string> read(std::uint64_t offset, std::uint64_t length) override {
    std::string bytes;
    if (offset >= size_) return bytes;
    bytes.resize(std::min(length, size_ - offset));
    std::size_t done = 0;
    while (done < bytes.size()) {
      ssize_t n = ::pread(fd_.get(), bytes.data() + done, bytes.size() - done,
                          static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_error("read", path_, errno);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    bytes.resize(done);
    return bytes;
  }
  Result<void> truncate(std::uint64_t length) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(length)) != 0)
      return system_error("truncate", path_, errno);
    size_ = length;
    end_ = std::min(end_, length);
    return {};
  }
  // Zeros are written, not just allocated: unwritten extents would make each sync change metadata.
  Result<void> reserve(std::uint64_t length) override {
    if (size_ >= length) return {};
    if (int code = ::posix_fallocate(fd_.get(), static_cast<off_t>(size_),
                                     static_cast<off_t>(length - size_));
        code != 0 && code != EOPNOTSUPP && code != EINVAL)
      return system_error("reserve", path_, code);
    const std::string zeros(std::min<std::uint64_t>(length - size_, 1u << 20), '\0');
    for (std::uint64_t at = size_; at < length; at += zeros.size())
      TRY_VOID(write_at(at, std::string_view(zeros).substr(
                                0, std::min<std::uint64_t>(zeros.size(), length - at))));
    size_ = length;
    return {};
  }
  std::uint64_t size() const override { return size_; }

 private:
  Result<void> write_at(std::uint64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_error("write", path_, errno);
      offset += static_cast<std::uint64_t>(n);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

  Descriptor fd_;
  std::string path_;
  std::uint64_t end_, size_;
};

class LinuxFiles : public Files {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override {
    int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
    if (fd < 0) return system_error("open", path, errno);
    struct stat info {};
    if (::fstat(fd, &info) != 0) {
      int code = errno;
      ::close(fd);
      return system_error("open", path, code);
    }
    return std::unique_ptr<File>(
        std::make_unique<LinuxFile>(fd, path, static_cast<std::uint64_t>(info.st_size)));
  }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    DIR* handle = ::opendir(directory.c_str());
    if (handle == nullptr) return system_error("list", directory, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(handle)) {
      std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    int code = errno;
    ::closedir(handle);
    if (code != 0) return system_error("list", directory, code);
    std::sort(names.begin(), names.end());
    return names;
  }
  Result<void> make_directories(const std::string& path) override {
    for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
      std::string part = path.substr(0, at);
      if (!part.empty() && ::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
        return system_error("create directory", part, errno);
      if (at == std::string::npos) break;
    }
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return system_error("create directory", path, errno);
    if (!S_ISDIR(info.st_mode)) return system_error("create directory", path, ENOTDIR);
    return {};
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return system_error("rename", from, errno);
    return {};
  }
  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return system_error("remove", path, errno);
    return {};
  }
  Result<void> sync_directory(const std::string& path) override {
    Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return system_error("open", path, errno);
    if (::fsync(fd.get()) != 0) return system_error("sync", path, errno);
    return {};
  }
  bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }
  Result<std::shared_ptr<void>> lock(const std::string& path) override {
    auto held =
        std::make_shared<Descriptor>(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (held->get() < 0) return system_error("open", path, errno);
    if (::flock(held->get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK)
        return Error{Reason::conflict, path + " is in use by another process"};
      return system_error("lock", path, errno);
    }
    return std::shared_ptr<void>(std::move(held));
  }
};

}  // namespace

std::unique_ptr<Files> make_linux_files() {
  return std::make_unique<LinuxFiles>();
}

}  // namespace keelson::host
