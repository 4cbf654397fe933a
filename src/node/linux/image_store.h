// ImageStore: what a container's image is here: a stand-in by the Platform's rules, an image of the
// library, or one that a registry has.
#pragma once

#include <memory>
#include <string>

#include "cluster/cluster.h"
#include "host/processes.h"
#include "node/images.h"
#include "node/linux/image_library.h"

namespace keelson::node {

class ImageStore : public Images {
 public:
  struct Options {
    std::string directory, pods;  // of the library
    bool from_registries = true;  // try to pull what is not here
    std::string platforms = "platforms.keelson.dev";
  };
  ImageStore(cluster::Cluster& cluster, host::Processes& processes, Options options);
  ~ImageStore() override;

  void ensure(const Value& pod, const Value& container, OnImage done) override;

  ImageLibrary& library() { return library_; }
  Value node_images() const;  // status.images of a Node

 private:
  std::string credentials_of(const Value& pod) const;
  void pull(const Value& pod, const std::string& image, const std::string& full_name,
            const OnImage& done);

  cluster::Cluster& cluster_;
  Options options_;
  ImageLibrary library_;
  mutable Value node_images_;       // as of node_images_of_; zero: unknown
  mutable Instant node_images_of_;  // ImageLibrary::changed_at()
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::node
