// A path inside a volume, resolved by the kernel so that no link of a container leads out of it:
// openat2 with RESOLVE_BENEATH, or element by element where the kernel (or a filter) has no
// openat2. Every step is taken from an open directory, so that what is swapped meanwhile changes
// nothing.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <utility>

#include "base/text.h"
#include "node/linux/disk.h"

namespace keelson::node {
namespace {

constexpr int kLinksMax = 40;

class Handle {
 public:
  explicit Handle(int fd) : fd_(fd) {}
  Handle(Handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Handle() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool ok() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_;
};

// Without openat2: relative links that do not climb are followed, all others refused.
Handle open_by_steps(int base, const std::string& path) {
  std::deque<std::string> rest;
  for (std::string& element : split(path, '/')) rest.push_back(std::move(element));
  Handle here(::openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (int links = 0; here.ok() && !rest.empty();) {
    const std::string element = std::move(rest.front());
    rest.pop_front();
    if (element.empty() || element == ".") continue;
    char target[4096];
    const ssize_t length = ::readlinkat(here.get(), element.c_str(), target, sizeof target);
    if (length > 0) {
      const std::string_view to(target, static_cast<std::size_t>(length));
      if (to.starts_with("/") || climbs(to) || ++links > kLinksMax) {
        errno = EXDEV;
        return Handle(-1);
      }
      const auto elements = split(to, '/');
      rest.insert(rest.begin(), elements.begin(), elements.end());
      continue;
    }
    here = Handle(::openat(here.get(), element.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (here.ok() && ::fstat(here.get(), &info) == 0 && S_ISLNK(info.st_mode)) {
      errno = EXDEV;  // swapped for a link this instant
      return Handle(-1);
    }
  }
  return here;
}

Handle open_beneath(int base, const std::string& path) {
  if (path.empty()) return Handle(::openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0; tries < 10; ++tries) {
    const long fd = ::syscall(SYS_openat2, base, path.c_str(), &how, sizeof how);
    if (fd >= 0) return Handle(static_cast<int>(fd));
    if (errno == EAGAIN) continue;  // something was renamed meanwhile
    if (errno == ENOSYS || errno == EPERM) return open_by_steps(base, path);
    break;
  }
  return Handle(-1);
}

// Through the directory itself: by its name it could be a link by now.
bool give_directory(int parent, const std::string& name, mode_t mode, std::int64_t group) {
  const Handle made(
      ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made.ok()) return false;
  if (group >= 0 && ::fchown(made.get(), static_cast<uid_t>(-1), static_cast<gid_t>(group)) != 0)
    return false;
  return ::fchmod(made.get(), mode) == 0;
}

std::string path_of(const Handle& handle) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(handle.get());
  const ssize_t length = ::readlink(link.c_str(), path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : "";
}

}  // namespace

Result<std::string> path_within(const std::string& base, const std::string& inner, bool make,
                                std::int64_t group) {
  const auto refused = [&](int code) {
    const bool outside = code == EXDEV || code == ELOOP;
    return Error{outside ? Reason::invalid : Reason::internal_error,
                 base + ": " + quote(inner) + ": " +
                     (outside ? "leads out of the volume" : std::strerror(code))};
  };
  if (inner.starts_with("/") || climbs(inner)) return refused(EXDEV);
  const Handle top(::open(base.c_str(), O_PATH | O_CLOEXEC));
  struct stat info {};
  if (!top.ok() || ::fstat(top.get(), &info) != 0) return refused(errno);
  Handle here = open_beneath(top.get(), "");
  if (!here.ok()) return refused(errno);
  std::string path;
  for (const std::string& element : split(inner, '/')) {
    if (element.empty() || element == ".") continue;
    path += (path.empty() ? "" : "/") + element;
    Handle next = open_beneath(top.get(), path);
    if (!next.ok() && errno == ENOENT && make) {
      // A link to nowhere counts as there: nothing is made through it.
      const bool made = ::mkdirat(here.get(), element.c_str(), 0700) == 0;
      if (!made && errno != EEXIST) return refused(errno);
      if (made && !give_directory(here.get(), element, info.st_mode & 07777, group))
        return refused(errno);
      next = open_beneath(top.get(), path);
    }
    if (!next.ok()) return refused(errno);
    here = std::move(next);
  }
  const std::string real = path_of(here), root = path_of(top);
  if (root.empty() || (real != root && !real.starts_with(root == "/" ? root : root + "/")))
    return refused(EXDEV);
  return real;
}

}  // namespace keelson::node
