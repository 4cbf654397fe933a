#include "node/linux/image_archive.h"

#include <gtest/gtest.h>

namespace keelson::node {
namespace {

using Images = std::vector<ArchivedImage>;

TEST(ImageArchive, OfDockerSave) {
  const auto images = images_of_archive(
      "a.tar", false, R"([{"RepoTags": ["app:1", "app:latest"]}, {"RepoTags": null}])", "{}");
  ASSERT_TRUE(images.ok());
  EXPECT_EQ(*images, (Images{{"docker-archive:a.tar:@0", {"app:1", "app:latest"}},
                             {"docker-archive:a.tar:@1", {}}}));
}

TEST(ImageArchive, OfOciLayouts) {
  const std::string index = R"({"manifests": [
      {"annotations": {"org.opencontainers.image.ref.name": "1.0",
                       "io.containerd.image.name": "docker.io/library/app:1.0"}},
      {"annotations": {"org.opencontainers.image.ref.name": "shop/web:2"}},
      {"annotations": {"org.opencontainers.image.ref.name": "latest"}}, {}]})";
  const auto images = images_of_archive("a.tar", false, "", index);
  ASSERT_TRUE(images.ok());
  EXPECT_EQ(*images, (Images{{"oci-archive:a.tar:1.0", {"docker.io/library/app:1.0"}},
                             {"oci-archive:a.tar:shop/web:2", {"shop/web:2"}},
                             {"oci-archive:a.tar:latest", {}},
                             {"oci-archive:a.tar", {}}}));
  EXPECT_EQ(images_of_archive("d", true, "", index)->at(1).source, "oci:d:shop/web:2");
}

TEST(ImageArchive, WhatIsNoneIsToldByName) {
  EXPECT_EQ(images_of_archive("x.tar", false, "", "").error().message.substr(0, 28),
            "x.tar: no archive of images:");
  EXPECT_FALSE(images_of_archive("x.tar", false, "{}", "").ok());
  EXPECT_FALSE(images_of_archive("x.tar", false, "[]", "").ok());
  EXPECT_FALSE(images_of_archive("x.tar", false, "", "{").ok());
  EXPECT_FALSE(images_of_archive("a:b.tar", false, "[{}]", "").ok());
}

}  // namespace
}  // namespace keelson::node
