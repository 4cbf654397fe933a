#include "app/instance.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace keelson::app {
namespace {

namespace fs = std::filesystem;

class Directories : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/keelson-instance-XXXXXX";
    root_ = mkdtemp(path);
  }
  void TearDown() override { fs::remove_all(root_); }
  Instance instance(const std::string& name) const { return {"x", root_ + "/" + name}; }
  static unsigned mode(const std::string& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777u : 0;
  }
  std::string root_;
};

TEST_F(Directories, ANewOneIsItsOwnersAlone) {
  const Instance fresh = instance("deep/fresh");
  ASSERT_TRUE(prepare_directory(fresh).ok());
  EXPECT_EQ(mode(fresh.directory), 0700u);
}

TEST_F(Directories, ThoseOfOthersAreLeftAlone) {
  const Instance foreign = instance("foreign");
  fs::create_directory(foreign.directory);
  chmod(foreign.directory.c_str(), 01777);
  EXPECT_TRUE(prepare_directory(foreign).ok());  // empty: it was made for us
  EXPECT_EQ(mode(foreign.directory), 01777u);
  std::ofstream(foreign.directory + "/file") << "x";
  const auto refused = InstanceLock::acquire(foreign);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::conflict);
  EXPECT_EQ(mode(foreign.directory), 01777u);
  EXPECT_FALSE(fs::exists(foreign.lock()));
  std::ofstream(foreign.lock()) << "";
  EXPECT_TRUE(prepare_directory(foreign).ok());
}

TEST_F(Directories, FilesWithKeysAreForTheirOwnerWhateverTheUmask) {
  const mode_t before = umask(0);
  const std::string path = root_ + "/kubeconfig";
  std::ofstream(path) << "old, and readable by all";
  EXPECT_EQ(mode(path), 0666u);
  EXPECT_TRUE(write_secret_file(path, "key").ok());
  umask(before);
  EXPECT_EQ(mode(path), 0600u);
  std::string text;
  std::getline(std::ifstream(path) >> std::ws, text);
  EXPECT_EQ(text, "key");
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 1);
  EXPECT_FALSE(write_secret_file(root_ + "/missing/kubeconfig", "key").ok());
}

}  // namespace
}  // namespace keelson::app
