// What `up` reads from files and folders, and what it does not.
#include "app/manifests.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/client.h"

namespace keelson::app {
namespace {

namespace fs = std::filesystem;

class ManifestsTest : public testing::Test {
 protected:
  ManifestsTest() {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~ManifestsTest() override { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  Manifests read(const std::string& name = ".") {
    auto manifests = read_manifests({(root_ / name).string()});
    EXPECT_TRUE(manifests.ok());
    return std::move(*manifests);
  }
  static std::string config_map(const std::string& name) {
    return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n";
  }

  fs::path root_ = fs::path(testing::TempDir()) / "manifests_test";
};

TEST_F(ManifestsTest, AKustomizationIsToldAndNotReadAsPlainManifests) {
  write("plain.yaml", config_map("plain"));
  write("overlay/kustomization.yaml", "resources: [../plain.yaml]\nnamePrefix: a-\n");
  write("overlay/patches/patch.yaml", config_map("patch"));
  write("overlay-not/other.yaml", config_map("other"));
  const Manifests manifests = read();
  ASSERT_EQ(manifests.parts.size(), 2u);
  EXPECT_EQ(manifests.parts[0].title(), "ConfigMap other");
  EXPECT_EQ(manifests.parts[1].title(), "ConfigMap plain");
  ASSERT_EQ(manifests.problems.size(), 1u);
  EXPECT_NE(manifests.problems[0].find("kubectl kustomize"), std::string::npos);
}

TEST_F(ManifestsTest, LinksInACircleEnd) {
  write("a/x.yaml", config_map("x"));
  fs::create_directory_symlink("..", root_ / "a/up");
  fs::create_symlink("nowhere", root_ / "dangling.yaml");
  fs::create_symlink("self.yaml", root_ / "self.yaml");
  const Manifests manifests = read();
  EXPECT_EQ(manifests.parts.size(), 1u);
  EXPECT_TRUE(manifests.problems.empty());
}

TEST_F(ManifestsTest, WhatHasNoSizeIsRead) {
  const Manifests nothing = *read_manifests({"/dev/null"});
  EXPECT_TRUE(nothing.parts.empty());
  EXPECT_TRUE(nothing.problems.empty());
  const Manifests endless = *read_manifests({"/dev/zero"});
  ASSERT_EQ(endless.problems.size(), 1u);
  EXPECT_EQ(endless.problems[0], "/dev/zero: larger than 16 MiB");
}

TEST_F(ManifestsTest, ATypedListSaysWhatItsItemsAre) {
  write("list.yaml", "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n");
  const Manifests manifests = read("list.yaml");
  ASSERT_EQ(manifests.parts.size(), 1u);
  EXPECT_EQ(manifests.parts[0].title(), "ConfigMap a");
}

TEST_F(ManifestsTest, ANameThatIsAPathIsRefusedWhereItStands) {
  write("a.yaml", config_map("../b"));
  const Manifests manifests = read("a.yaml");
  EXPECT_TRUE(manifests.parts.empty());
  ASSERT_EQ(manifests.problems.size(), 1u);
  EXPECT_NE(manifests.problems[0].find("a.yaml:3:"), std::string::npos) << manifests.problems[0];
}

TEST(Client, ANameDoesNotLeadElsewhere) {
  EXPECT_EQ(path_segment("web-1.x"), "web-1.x");
  EXPECT_EQ(path_segment("../a?b"), "..%2Fa%3Fb");
  EXPECT_EQ(path_segment(".."), "%2E%2E");
}

}  // namespace
}  // namespace keelson::app
