// What a file of images contains: of `docker save` (manifest.json), or an OCI layout (index.json),
// as a tar, packed or not, or as a directory. Pure: the caller reads these two files out of it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::node {

struct ArchivedImage {
  std::string source;              // as skopeo names it
  std::vector<std::string> names;  // "app:1"; empty: the archive does not say
  bool operator==(const ArchivedImage&) const = default;
};

// manifest, index: content of manifest.json and index.json; empty where there is none.
// is_directory: of an unpacked OCI layout. Error: bad_request if it is no archive of images, or if
// its path cannot be told to skopeo.
Result<std::vector<ArchivedImage>> images_of_archive(const std::string& path, bool is_directory,
                                                     const std::string& manifest,
                                                     const std::string& index);

}  // namespace keelson::node
