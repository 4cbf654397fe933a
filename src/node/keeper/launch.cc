// Raw system calls; the only place of the node room that forks.
#include "node/keeper/launch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace keelson::node {
namespace {

constexpr long kCgroup2Magic = 0x63677270;

std::string failure(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

// In a chroot "/" is no mount, and joining the namespace would lead out of it. So the directory
// becomes the root of the namespace itself: seen from the namespace's own root, all is made
// private, the directory a mount, and this the root; the rest is let go.
std::string take_root_along() {
  const int directory = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int self = ::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (directory < 0 || self < 0 || ::setns(self, CLONE_NEWNS) != 0)
    return failure("leave the chroot");
  ::close(self);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return failure("make mounts private");
  const int tree = ::open_tree(directory, "",
                               OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
  if (tree < 0 ||
      ::move_mount(tree, "", directory, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return failure("mount the chroot");
  // The usual way to a new root without a place for the old one.
  if (::fchdir(tree) != 0 || ::syscall(SYS_pivot_root, ".", ".") != 0 ||
      ::umount2(".", MNT_DETACH) != 0 || ::chroot(".") != 0 || ::chdir("/") != 0)
    return failure("make the chroot the root");
  ::close(tree);
  ::close(directory);
  return {};
}

// Tells the parent which step failed and ends.
[[noreturn]] void fail(int report, const char* step) {
  std::string text = failure(step);
  [[maybe_unused]] const ssize_t n = ::write(report, text.data(), text.size());
  ::_exit(127);
}

void run_child(const LaunchPlan& plan, int report) {
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (plan.kill_with_keeper) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const std::string& file : plan.cgroup_procs) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && ::write(fd, "0", 1) < 0) fail(report, "join cgroup");
    ::close(fd);
  }
  for (const std::string& file : plan.namespaces) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ::setns(fd, 0) != 0) fail(report, "join namespace");
    ::close(fd);
  }
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const int wanted[3] = {plan.stdin_fd, plan.stdout_fd, plan.stderr_fd};
  for (int i = 0; i < 3; i++)
    if (::dup2(wanted[i] >= 0 ? wanted[i] : null, i) < 0) fail(report, "place descriptors");
  if (!plan.directory.empty() && ::chdir(plan.directory.c_str()) != 0) fail(report, "chdir");
  if (plan.group >= 0 &&
      (::setgroups(0, nullptr) != 0 || ::setgid(static_cast<gid_t>(plan.group)) != 0))
    fail(report, "set group");
  if (plan.user >= 0 && ::setuid(static_cast<uid_t>(plan.user)) != 0) fail(report, "set user");
  const auto argv = pointers(plan.argv);
  const auto environment = pointers(plan.environment);
  ::syscall(SYS_close_range, 3U, ~0U, 1U << 2);  // close on exec
  ::execvpe(argv[0], argv.data(), environment.data());
  fail(report, ("exec " + plan.argv[0]).c_str());
}

std::string loopback_up(const std::string& address) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failure("socket");
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  int code = ::ioctl(fd, SIOCSIFFLAGS, &request);
  if (code == 0 && !address.empty()) {
    ifreq alias{};
    std::strncpy(alias.ifr_name, "lo:1", sizeof alias.ifr_name - 1);
    auto& own = reinterpret_cast<sockaddr_in&>(alias.ifr_addr);
    own.sin_family = AF_INET;
    ::inet_pton(AF_INET, address.c_str(), &own.sin_addr);
    code = ::ioctl(fd, SIOCSIFADDR, &alias);
  }
  const std::string error = code == 0 ? "" : failure("bring up loopback");
  ::close(fd);
  // As container runtimes do: no privilege is needed for low ports inside.
  const int ports = ::open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY | O_CLOEXEC);
  if (ports >= 0) {
    [[maybe_unused]] const ssize_t n = ::write(ports, "0", 1);
    ::close(ports);
  }
  return error;
}

std::string keep_namespace(const std::string& from, const std::string& to) {
  const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
  ::umount2(to.c_str(), MNT_DETACH);
  if (::mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) != 0)
    return failure("keep namespace " + to);
  return {};
}

}  // namespace

pid_t launch(const LaunchPlan& plan, std::string& error) {
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) {
    error = failure("pipe");
    return -1;
  }
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(report[0]);
    run_child(plan, report[1]);
  }
  ::close(report[1]);
  if (pid < 0) {
    error = failure("fork");
    ::close(report[0]);
    return -1;
  }
  char buffer[256];
  const ssize_t n = ::read(report[0], buffer, sizeof buffer);
  ::close(report[0]);
  if (n <= 0) return pid;
  error.assign(buffer, static_cast<std::size_t>(n));
  ::waitpid(pid, nullptr, 0);
  return -1;
}

std::string make_sandbox(const std::string& directory, const std::string& hostname,
                         const std::string& network, bool own_network, const std::string& address) {
  ::mkdir(directory.c_str(), 0700);
  int ready[2], done[2];
  if (::pipe2(ready, O_CLOEXEC) != 0 || ::pipe2(done, O_CLOEXEC) != 0) return failure("pipe");
  const pid_t pid = ::fork();
  if (pid < 0) return failure("fork");
  if (pid == 0) {
    std::string text;
    const int flags = CLONE_NEWIPC | CLONE_NEWUTS | (own_network ? CLONE_NEWNET : 0);
    if (::unshare(flags) != 0)
      text = failure("make namespaces");
    else if (::sethostname(hostname.c_str(), hostname.size()) != 0)
      text = failure("set host name");
    else if (own_network)
      text = loopback_up(address);
    if (text.empty()) text = "ok";
    [[maybe_unused]] const ssize_t n = ::write(ready[1], text.data(), text.size());
    ::close(done[1]);
    char byte = 0;
    [[maybe_unused]] const ssize_t m = ::read(done[0], &byte, 1);  // until the parent is done
    ::_exit(0);
  }
  ::close(ready[1]);
  ::close(done[0]);
  char buffer[256];
  const ssize_t n = ::read(ready[0], buffer, sizeof buffer);
  std::string error(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
  if (error == "ok") {
    const std::string own = "/proc/" + std::to_string(pid) + "/ns/";
    error = keep_namespace(own + "ipc", directory + "/ipc");
    if (error.empty()) error = keep_namespace(own + "uts", directory + "/uts");
    if (error.empty() && own_network) error = keep_namespace(own + "net", directory + "/net");
    if (error.empty() && !network.empty()) error = keep_namespace(network, directory + "/net");
  } else if (error.empty()) {
    error = "make namespaces: the child ended";
  }
  ::close(ready[0]);
  ::close(done[1]);
  ::waitpid(pid, nullptr, 0);
  return error;
}

std::string keep_sandbox(const std::string& directory, pid_t pid, bool with_network) {
  ::mkdir(directory.c_str(), 0700);
  const std::string own = "/proc/" + std::to_string(pid) + "/ns/";
  std::string error = keep_namespace(own + "ipc", directory + "/ipc");
  if (error.empty()) error = keep_namespace(own + "uts", directory + "/uts");
  if (error.empty() && with_network) error = keep_namespace(own + "net", directory + "/net");
  return error;
}

std::string make_mount(const MountPlan& plan) {
  const char* data = plan.data.empty() ? nullptr : plan.data.c_str();
  if (::mount(plan.source.c_str(), plan.target.c_str(), plan.type.c_str(), plan.flags, data) == 0)
    return {};
  return failure("mount " + plan.type + " on " + plan.target);
}

std::string enter_private_mounts() {
  if (::unshare(CLONE_NEWNS) != 0) return failure("make a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    if (errno != EINVAL) return failure("make mounts private");
    if (std::string problem = take_root_along(); !problem.empty()) return problem;
  }
  struct statfs info {};
  const char* unified = "/sys/fs/cgroup/unified";
  if (::statfs(unified, &info) == 0 && info.f_type == kCgroup2Magic) ::umount2(unified, MNT_DETACH);
  return {};
}

std::string why_no_private_mounts() {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return failure("ask for mounts");
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string problem = enter_private_mounts();
    const bool told = ::write(pipe[1], problem.data(), problem.size()) >= 0;
    ::_exit(told ? 0 : 1);
  }
  ::close(pipe[1]);
  char text[256];
  const ssize_t length = child > 0 ? ::read(pipe[0], text, sizeof text) : -1;
  ::close(pipe[0]);
  if (child < 0) return failure("ask for mounts");
  ::waitpid(child, nullptr, 0);
  return length > 0 ? std::string(text, static_cast<std::size_t>(length)) : std::string();
}

}  // namespace keelson::node
