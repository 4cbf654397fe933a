// ImageLibrary: the unpacked images of an engine on disk, a directory each. The engine and, beside
// it, `keelson image` use one at the same time: an image appears and vanishes by one rename,
// complete, and nothing is kept in memory. What running containers stand on stays until they ended:
// a replaced image goes to the trash first.
//   HASH/{image.json, bundle/rootfs}   of the full name
//   HASH.PID.part                      being unpacked by this process
//   HASH.N.gone                        replaced
//   .trash/PID-N                       being removed, by a program of its own
// Must not know pods or registries' secrets; who asks names source and credentials.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "host/processes.h"
#include "node/images.h"

namespace keelson::node {

struct StoredImage {
  std::string name, id;    // "docker.io/library/app:1", "docker.io/library/app@sha256:..."
  std::int64_t bytes = 0;  // of its layers as they were transferred
  bool used = false;       // a container stands on it
};

class ImageLibrary {
 public:
  // Both exist. pods: where the containers' records lie (node/linux/disk.h).
  ImageLibrary(host::Processes& processes, std::string directory, std::string pods);
  ~ImageLibrary();

  // `source` as skopeo names it: "docker-archive:app.tar:@0", "oci:dir:tag", "oci-archive:x.tar",
  // "docker://host/name:tag". name: under which pods ask for it. The answer is the image's id.
  // credentials: a docker config.json, or empty. One load per name at a time, others wait for it.
  using Done = std::function<void(Result<std::string>)>;
  void load(const std::string& source, const std::string& name, Done done,
            const std::string& credentials = {});
  // Fills all but what stand-ins have; false if there is no such image.
  bool find(const std::string& full_name, Image& image) const;
  std::vector<StoredImage> list() const;    // by name
  std::vector<StoredImage> stored() const;  // the same but for `used`, which takes many files
  // When an image came or went last; changes of the last instants may be missing. Zero: no idea.
  Instant changed_at() const;
  // Removes what nobody stands on any more, and what a process that is gone left unfinished.
  void empty_trash();
  // not_found; conflict while a container stands on it.
  Result<void> remove(const std::string& name);

 private:
  struct Fetch;
  std::string directory_of(const std::string& full_name) const;
  std::set<std::string> ids_in_use() const;
  void run(const std::shared_ptr<Fetch>& fetch, std::size_t step);
  Result<std::string> put_in_place(const Fetch& fetch);
  Result<void> put_away(const std::string& home);
  void discard(const std::string& path);

  host::Processes& processes_;
  std::string directory_, pods_;
  std::map<std::string, std::vector<Done>> fetching_;
  std::uint64_t discarded_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelson::node
