// Plain blocking calls: everything here is small and local.
#include "node/linux/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

#include "base/prng.h"
#include "base/text.h"
#include "model/meta.h"

namespace keelson::node {
namespace {

Error failed(const std::string& what, const std::string& path) {
  return {Reason::internal_error, what + " " + path + ": " + std::strerror(errno)};
}

int remove_entry(const char* path, const struct stat*, int type, struct FTW*) {
  type == FTW_DP ? ::rmdir(path) : ::unlink(path);
  return 0;
}

std::string first_part(const std::string& path) {
  return path.substr(0, path.find('/'));
}

}  // namespace

// The longest names together are longer than a file's name may be; the uid alone tells pods apart.
std::string Disk::logs(const Value& pod) const {
  constexpr std::size_t kNameMax = 255;
  const std::string uid = "_" + std::string(model::uid_of(pod));
  const std::string name =
      std::string(model::namespace_of(pod)) + "_" + std::string(model::name_of(pod));
  return root_ + "/logs/" + name.substr(0, kNameMax - uid.size()) + uid;
}

std::string Disk::log(const Value& pod, std::string_view container, int attempt) const {
  return logs(pod) + "/" + std::string(container) + "/" + std::to_string(attempt) + ".log";
}

Result<void> make_directory(const std::string& path, int mode) {
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT) return failed("make directory", path);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return failed("make directory", path);
  TRY_VOID(make_directory(path.substr(0, slash)));
  if (::mkdir(path.c_str(), static_cast<mode_t>(mode)) == 0 || errno == EEXIST) return {};
  return failed("make directory", path);
}

Result<void> write_whole(const std::string& path, std::string_view bytes, int mode) {
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, static_cast<mode_t>(mode));
  if (fd < 0) return failed("write", path);
  ::fchmod(fd, static_cast<mode_t>(mode));
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n <= 0) {
      const Error error = failed("write", path);
      ::close(fd);
      return error;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  ::close(fd);
  return {};
}

std::string read_whole(const std::string& path, std::size_t bytes_max) {
  std::string out;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return out;
  char buffer[16384];
  for (ssize_t n = 0; out.size() < bytes_max && (n = ::read(fd, buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<std::size_t>(n));
  ::close(fd);
  if (out.size() > bytes_max) out.resize(bytes_max);
  return out;
}

std::string read_end(const std::string& path, std::size_t bytes_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  struct stat info {};
  const auto wanted = static_cast<off_t>(bytes_max);
  const off_t from = ::fstat(fd, &info) == 0 && info.st_size > wanted ? info.st_size - wanted : 0;
  std::string out(bytes_max, '\0');
  std::size_t got = 0;
  for (ssize_t n = 0; got < out.size() && (n = ::pread(fd, out.data() + got, out.size() - got,
                                                       from + static_cast<off_t>(got))) > 0;)
    got += static_cast<std::size_t>(n);
  ::close(fd);
  out.resize(got);
  return out;
}

void remove_tree(const std::string& path) {
  // FTW_MOUNT: what is mounted below belongs to somebody else.
  ::nftw(path.c_str(), remove_entry, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

bool climbs(std::string_view path) {
  for (const std::string& element : split(path, '/'))
    if (element == "..") return true;
  return false;
}

std::optional<std::string> plain_path(std::string_view path) {
  if (!path.starts_with("/") || climbs(path)) return std::nullopt;
  std::string out;
  for (const std::string& element : split(path, '/'))
    if (!element.empty() && element != ".") out += "/" + element;
  return out.empty() ? "/" : out;
}

Result<void> write_volume(const std::string& directory,
                          const std::map<std::string, VolumeFile>& files, std::int64_t group) {
  TRY_VOID(make_directory(directory));
  ::chmod(directory.c_str(), 0777 | S_ISVTX);
  std::uint64_t digest = hash64(std::to_string(group));
  for (const auto& [path, file] : files) {
    if (path.starts_with("/") || climbs(path))
      return Error{Reason::invalid, "invalid path: must not contain '..': " + path};
    if (path.starts_with(".."))  // such names are the links of this scheme itself
      return Error{Reason::invalid, "invalid path: must not start with '..': " + path};
    digest = hash64(path, digest);
    digest = hash64(std::to_string(file.mode) + "\n" + file.bytes, digest);
  }
  const std::string hidden = "..keelson_" + std::to_string(digest);
  char target[64] = {};
  const std::string link = directory + "/..data";
  const ssize_t length = ::readlink(link.c_str(), target, sizeof target - 1);
  const std::string old = length > 0 ? std::string(target, static_cast<std::size_t>(length)) : "";
  if (old == hidden) return {};
  const std::string fresh = directory + "/" + hidden;
  remove_tree(fresh);
  TRY_VOID(make_directory(fresh));
  std::set<std::string> tops;
  for (const auto& [path, file] : files) {
    const std::string full = fresh + "/" + path;
    TRY_VOID(make_directory(full.substr(0, full.rfind('/'))));
    TRY_VOID(write_whole(full, file.bytes, group >= 0 ? file.mode | 0440 : file.mode));
    if (group >= 0 && ::chown(full.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(group)) != 0)
      return failed("chown", full);
    tops.insert(first_part(path));
  }
  const std::string next = directory + "/..data_new";
  ::unlink(next.c_str());
  if (::symlink(hidden.c_str(), next.c_str()) != 0 || ::rename(next.c_str(), link.c_str()) != 0)
    return failed("link", link);
  for (const std::string& top : tops) {
    const std::string name = directory + "/" + top;
    if (::symlink(("..data/" + top).c_str(), name.c_str()) != 0 && errno != EEXIST)
      return failed("link", name);
  }
  for (const std::string& name : names_in(directory)) {
    if (name.starts_with("..keelson_") && name != hidden) remove_tree(directory + "/" + name);
    if (!name.starts_with("..") && !tops.contains(name)) ::unlink((directory + "/" + name).c_str());
  }
  return {};
}

std::vector<std::string> account(const std::string& file, std::string_view name) {
  for (const std::string& line : split(read_whole(file), '\n')) {
    std::vector<std::string> fields = split(line, ':');
    if (fields.size() >= 3 && fields[0] == name) return fields;
  }
  return {};
}

}  // namespace keelson::node
