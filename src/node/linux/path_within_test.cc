#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "node/linux/disk.h"

namespace keelson::node {
namespace {

class PathWithin : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/keelson-path-XXXXXX";
    root_ = ::mkdtemp(path);
    for (const char* directory : {"/data", "/data2/secret", "/data/real"})
      ASSERT_TRUE(make_directory(root_ + directory).ok());
    ::chmod((root_ + "/data").c_str(), 0777);
    link("real", "inside");
    link("../data2", "neighbour");
    link(root_ + "/data2", "absolute");
    link("../made", "nowhere");
  }
  void TearDown() override { remove_tree(root_); }
  void link(const std::string& to, const std::string& name) {
    ASSERT_EQ(::symlink(to.c_str(), (root_ + "/data/" + name).c_str()), 0);
  }
  std::string within(const std::string& inner) {
    const auto found = path_within(root_ + "/data", inner, true, -1);
    return found.ok() ? found->substr(root_.size()) : to_string(found.error().reason);
  }
  static std::string to_string(Reason reason) {
    return reason == Reason::invalid ? "invalid" : "other";
  }
  std::string all() {
    std::string out;
    for (const char* inner : {"", "real", "inside", "inside/new/deep", "neighbour", "neighbour/new",
                              "absolute/new", "nowhere", "nowhere/new", "../data2", "a..b"})
      out += within(inner) + " ";
    return out;
  }
  std::string root_;
};

constexpr auto kAll =
    "/data /data/real /data/real /data/real/new/deep invalid invalid invalid invalid invalid "
    "invalid /data/a..b ";

TEST_F(PathWithin, NoLinkLeadsOutOfAVolumeAndNothingIsMadeThroughOne) {
  EXPECT_EQ(all(), kAll);
  EXPECT_EQ(names_in(root_ + "/data2"), std::vector<std::string>{"secret"});
  EXPECT_EQ(names_in(root_).size(), 2u);
  struct stat info {};
  ASSERT_EQ(::stat((root_ + "/data/a..b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0777u);  // as open as the volume
}

TEST_F(PathWithin, KernelsAndFiltersWithoutOpenat2) {
  const pid_t child = ::fork();
  if (child == 0) {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program{4, code};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) ::_exit(77);
    const std::string got = all();
    const bool good = got == kAll && names_in(root_ + "/data2").size() == 1;
    if (!good) ::fprintf(stderr, "%s\n", got.c_str());
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no filters here";
  EXPECT_EQ(status, 0);
}

TEST_F(PathWithin, KeysOfConfigMapsMayHaveTwoDots) {
  const std::string volume = root_ + "/volume";
  ASSERT_TRUE(write_volume(volume, {{"a..b", {"x"}}, {"c../d..", {"y"}}}, -1).ok());
  EXPECT_EQ(read_whole(volume + "/a..b") + read_whole(volume + "/c../d.."), "xy");
  for (const char* bad : {"../x", "a/../x", "a/..", "..", "..data", "/x"})
    EXPECT_FALSE(write_volume(volume, {{bad, {"x"}}}, -1).ok()) << bad;
  EXPECT_EQ(plain_path("/a//b/./c/"), "/a/b/c");
  EXPECT_EQ(plain_path("/"), "/");
  for (const char* bad : {"", "a", "/../../x", "/a/.."}) EXPECT_FALSE(plain_path(bad)) << bad;
}

}  // namespace
}  // namespace keelson::node
