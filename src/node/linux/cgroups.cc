// A hybrid host keeps its controllers in v1 hierarchies; its unified one is only for systemd.
#include "node/linux/cgroups.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/text.h"
#include "node/linux/disk.h"

namespace keelson::node {
namespace {

constexpr long kCgroup2Magic = 0x63677270;
const std::string kRoot = "/sys/fs/cgroup";

std::int64_t number_in(const std::string& path) {
  return parse_int(trim(read_whole(path, 64))).value_or(0);
}

// The number behind `key` in a file of "key number" lines.
std::int64_t field_in(const std::string& path, std::string_view key) {
  const std::string text = read_whole(path, 16 * 1024);
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ')
      return parse_int(line.substr(key.size() + 1)).value_or(0);
    at = end + 1;
  }
  return 0;
}

void remove_groups(const std::string& path) {
  for (const std::string& name : names_in(path)) {
    struct stat info {};
    const std::string inner = path + "/" + name;
    if (::lstat(inner.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) remove_groups(inner);
  }
  ::rmdir(path.c_str());
}

void kill_groups(const std::string& path) {
  for (const std::string& line : split(read_whole(path + "/cgroup.procs"), '\n'))
    if (const auto pid = parse_int(line); pid && *pid > 1)
      ::kill(static_cast<pid_t>(*pid), SIGKILL);
  for (const std::string& name : names_in(path)) {
    struct stat info {};
    const std::string inner = path + "/" + name;
    if (::lstat(inner.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) kill_groups(inner);
  }
}

}  // namespace

Cgroups::Cgroups() {
  struct statfs info {};
  unified_ = ::statfs(kRoot.c_str(), &info) == 0 && info.f_type == kCgroup2Magic;
  if (unified_) {
    hierarchies_ = {kRoot};
    return;
  }
  for (const std::string& name : names_in(kRoot)) {
    struct stat link {};
    const std::string path = kRoot + "/" + name;
    if (::lstat(path.c_str(), &link) != 0 || !S_ISDIR(link.st_mode)) continue;  // "cpu,cpuacct"
    if (name != "unified") hierarchies_.push_back(path);
  }
}

std::string Cgroups::in(std::string_view controller, const std::string& path) const {
  return unified_ ? kRoot + path : kRoot + "/" + std::string(controller) + path;
}

std::optional<Usage> Cgroups::usage(const std::string& path) const {
  Usage usage;
  if (unified_) {
    const std::string group = kRoot + path;
    usage.cpu = Duration::microseconds(field_in(group + "/cpu.stat", "usage_usec"));
    usage.memory =
        number_in(group + "/memory.current") - field_in(group + "/memory.stat", "inactive_file");
  } else {
    usage.cpu = Duration::nanoseconds(number_in(in("cpuacct", path) + "/cpuacct.usage"));
    const std::string memory = in("memory", path);
    usage.memory = number_in(memory + "/memory.usage_in_bytes") -
                   field_in(memory + "/memory.stat", "total_inactive_file");
  }
  if (usage.cpu == Duration() && usage.memory <= 0) return std::nullopt;
  usage.memory = std::max<std::int64_t>(0, usage.memory);
  return usage;
}

std::string Cgroups::oom_file(const std::string& path) const {
  return in("memory", path) + (unified_ ? "/memory.events" : "/memory.oom_control");
}

void Cgroups::make(const std::string& path, std::int64_t cpu_shares) const {
  for (const std::string& hierarchy : hierarchies_) (void)make_directory(hierarchy + path);
  if (!unified_) (void)write_whole(in("cpu", path) + "/cpu.shares", std::to_string(cpu_shares));
}

void Cgroups::remove(const std::string& path) const {
  for (const std::string& hierarchy : hierarchies_) remove_groups(hierarchy + path);
}

std::vector<std::string> Cgroups::procs_files(const std::string& path) const {
  std::vector<std::string> files;
  for (const std::string& hierarchy : hierarchies_)
    files.push_back(hierarchy + path + "/cgroup.procs");
  return files;
}

void Cgroups::kill_all(const std::string& path) const {
  for (const std::string& hierarchy : hierarchies_) kill_groups(hierarchy + path);
}

}  // namespace keelson::node
