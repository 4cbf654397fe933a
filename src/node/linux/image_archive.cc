#include "node/linux/image_archive.h"

#include "base/text.h"
#include "codec/json.h"

namespace keelson::node {
namespace {

using codec::Value;

Error bad(const std::string& path, const std::string& what) {
  return {.reason = Reason::bad_request, .message = path + ": " + what};
}

// containerd writes the whole name into an annotation of its own; the standard one may hold no more
// than the tag, which names no image.
std::vector<std::string> names_of(const Value& annotations) {
  const std::string whole = annotations["io.containerd.image.name"].str();
  if (!whole.empty()) return {whole};
  const std::string reference = annotations["org.opencontainers.image.ref.name"].str();
  if (reference.find_first_of(":/") != std::string::npos) return {reference};
  return {};
}

}  // namespace

Result<std::vector<ArchivedImage>> images_of_archive(const std::string& path, bool is_directory,
                                                     const std::string& manifest,
                                                     const std::string& index) {
  // skopeo splits its words at colons and has no way to quote one.
  if (path.find(':') != std::string::npos)
    return bad(path, "a path with a colon cannot be read; rename the file");
  std::vector<ArchivedImage> images;
  if (!manifest.empty() && !is_directory) {
    const auto list = codec::parse_json(manifest);
    if (!list.ok() || !list->is_array()) return bad(path, "its manifest.json is no list");
    for (std::size_t i = 0; i < list->size(); ++i) {
      ArchivedImage image{"docker-archive:" + path + ":@" + std::to_string(i), {}};
      for (const Value& name : (*list)[i]["RepoTags"].elements()) image.names.push_back(name.str());
      images.push_back(std::move(image));
    }
  } else if (!index.empty()) {
    const auto list = codec::parse_json(index);
    if (!list.ok() || !(*list)["manifests"].is_array())
      return bad(path, "its index.json has no manifests");
    for (const Value& entry : (*list)["manifests"].elements()) {
      const Value& annotations = entry["annotations"];
      const std::string reference = annotations["org.opencontainers.image.ref.name"].str();
      // Without a reference there is nothing to choose by; skopeo takes the only one.
      images.push_back({(is_directory ? "oci:" : "oci-archive:") + path +
                            (reference.empty() ? "" : ":" + reference),
                        names_of(annotations)});
    }
  } else {
    return bad(
        path,
        "no archive of images: neither manifest.json (docker save) nor index.json (OCI) in it");
  }
  if (images.empty()) return bad(path, "there is no image in it");
  return images;
}

}  // namespace keelson::node
