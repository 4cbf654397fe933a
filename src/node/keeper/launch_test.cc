#include "node/keeper/launch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace keelson::node {
namespace {

// In a child: a chroot into a plain directory with /proc, its own mounts, and what then holds.
int keeper_in_chroot(const std::string& directory) {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("proc", (directory + "/proc").c_str(), "proc", 0, nullptr) != 0 ||
      ::chroot(directory.c_str()) != 0 || ::chdir("/") != 0)
    return 1;
  if (const std::string problem = enter_private_mounts(); !problem.empty()) {
    std::fprintf(stderr, "%s\n", problem.c_str());
    return 2;
  }
  if (::access("/marker", F_OK) != 0 || ::access("/proc/self", F_OK) != 0) return 3;
  // Whoever joins the namespace is in the chroot too.
  const int self = ::open("/proc/self/ns/mnt", O_RDONLY);
  if (::setns(self, CLONE_NEWNS) != 0 || ::access("/marker", F_OK) != 0) return 4;
  return ::mount("tmpfs", "/inside", "tmpfs", 0, nullptr) == 0 ? 0 : 5;
}

TEST(Launch, PrivateMountsInAChroot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  char pattern[] = "/tmp/keelson-launch-XXXXXX";
  const std::string directory = ::mkdtemp(pattern);
  std::filesystem::create_directory(directory + "/proc");
  std::filesystem::create_directory(directory + "/inside");
  std::ofstream(directory + "/marker") << "x";
  const pid_t child = ::fork();
  if (child == 0) ::_exit(keeper_in_chroot(directory));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  std::filesystem::remove_all(directory);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 1) GTEST_SKIP() << "mounts are not allowed here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Root without the capability, as in an ordinary container.
TEST(Launch, SaysWhyThereAreNoPrivateMounts) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
    ::_exit(why_no_private_mounts().starts_with("make a mount namespace: ") ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace keelson::node
