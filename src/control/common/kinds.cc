// See kinds.h.
#include "control/common/kinds.h"

#include <map>

namespace keelson::control {
namespace {

std::string scale_path_of(const model::Resource& resource) {
  if (resource.subresource("scale") == nullptr) return {};
  if (!resource.custom) return "spec.replicas";
  const std::string path = resource.definition["subresources"]["scale"]["specReplicasPath"].str();
  return path.empty() ? path : path.substr(1);  // ".spec.replicas"
}

}  // namespace

std::vector<ObjectKind> object_kinds(const model::TypeTable& types) {
  std::map<std::string, ObjectKind> kinds;
  for (const model::ResourcePointer& resource : types.all()) {
    if (!resource->stored || !resource->storage || !resource->has_verb("delete") ||
        !resource->has_verb("list") || !resource->has_verb("watch"))
      continue;
    // One object may be served under two names ("events" in two groups): the stored one counts.
    if (!resource->stored_as.empty() && resource->stored_as != resource->name()) continue;
    kinds[resource->name()] = {resource->name(), resource->group, resource->kind,
                               resource->namespaced, scale_path_of(*resource)};
  }
  std::vector<ObjectKind> all;
  for (auto& [name, kind] : kinds) all.push_back(std::move(kind));
  return all;
}

}  // namespace keelson::control
