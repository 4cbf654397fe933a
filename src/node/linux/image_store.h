// ImageStore: the images of this machine. A directory per image with its unpacked root file system
// and its configuration; stand-ins by the Platform's rules; registries through skopeo and umoci.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "host/processes.h"
#include "node/images.h"

namespace keelson::node {

struct StoredImage {
  std::string name, id;
  std::int64_t bytes = 0;
};

class ImageStore : public Images {
 public:
  struct Options {
    std::string directory;        // exists
    bool from_registries = true;  // try to pull what is not here
    std::string platforms = "platforms.keelson.dev";
  };
  ImageStore(cluster::Cluster& cluster, host::Processes& processes, Options options);
  ~ImageStore() override;

  void ensure(const Value& pod, const Value& container, OnImage done) override;

  // `source` as skopeo names it: "docker-archive:app.tar", "oci:dir:tag", "oci-archive:x.tar",
  // "docker://host/name:tag". name: under which pods ask for it. The answer is the image's id.
  // credentials: a docker config.json, or empty.
  void load(const std::string& source, const std::string& name,
            std::function<void(Result<std::string>)> done, const std::string& credentials = {});
  std::vector<StoredImage> list() const;
  Result<void> remove(const std::string& name);
  Value node_images() const;  // status.images of a Node

 private:
  struct Fetch;
  std::string directory_of(const std::string& full_name) const;
  bool find(const std::string& full_name, Image& image) const;
  std::string credentials_of(const Value& pod) const;
  void pull(const Value& pod, const std::string& image, const std::string& full_name,
            const OnImage& done);
  void run(const std::shared_ptr<Fetch>& fetch, std::size_t step);

  cluster::Cluster& cluster_;
  host::Processes& processes_;
  Options options_;
  std::map<std::string, std::vector<std::function<void(Result<std::string>)>>> fetching_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::node
