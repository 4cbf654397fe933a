// Objects in sorted maps.
#include "sched/memory_view.h"

#include "model/meta.h"

namespace keelson::sched {

using codec::Value;

void MemoryView::put(std::string_view resource, Value object) {
  cluster::Key key{std::string(model::namespace_of(object)), std::string(model::name_of(object))};
  resources_[std::string(resource)][std::move(key)] = std::move(object);
}

void MemoryView::remove(std::string_view resource, std::string_view ns, std::string_view name) {
  if (const auto it = resources_.find(resource); it != resources_.end())
    it->second.erase({std::string(ns), std::string(name)});
}

Value MemoryView::get(std::string_view resource, std::string_view ns, std::string_view name) const {
  const auto objects = resources_.find(resource);
  if (objects == resources_.end()) return {};
  const auto it = objects->second.find({std::string(ns), std::string(name)});
  return it == objects->second.end() ? Value() : it->second;
}

std::vector<Value> MemoryView::list(std::string_view resource, std::string_view ns) const {
  std::vector<Value> found;
  if (const auto objects = resources_.find(resource); objects != resources_.end())
    for (const auto& [key, object] : objects->second)
      if (ns.empty() || key.namespace_ == ns) found.push_back(object);
  return found;
}

std::vector<Value> MemoryView::owned_by(std::string_view resource, std::string_view uid) const {
  std::vector<Value> found;
  for (const Value& object : list(resource))
    for (const Value& owner : object.at("metadata.ownerReferences").elements())
      if (owner["uid"].as_string() == uid) {
        found.push_back(object);
        break;
      }
  return found;
}

std::string_view resource_of_kind(std::string_view kind) {
  struct Entry {
    std::string_view kind, resource;
  };
  static constexpr Entry kEntries[] = {
      {"Pod", "pods"},
      {"Node", "nodes"},
      {"Namespace", "namespaces"},
      {"Service", "services"},
      {"ReplicationController", "replicationcontrollers"},
      {"ReplicaSet", "replicasets.apps"},
      {"StatefulSet", "statefulsets.apps"},
      {"PodDisruptionBudget", "poddisruptionbudgets.policy"},
      {"PersistentVolumeClaim", "persistentvolumeclaims"},
      {"PersistentVolume", "persistentvolumes"},
      {"StorageClass", "storageclasses.storage.k8s.io"},
      {"CSINode", "csinodes.storage.k8s.io"},
      {"CSIDriver", "csidrivers.storage.k8s.io"},
      {"CSIStorageCapacity", "csistoragecapacities.storage.k8s.io"},
      {"VolumeAttachment", "volumeattachments.storage.k8s.io"},
      {"ResourceClaim", "resourceclaims.resource.k8s.io"},
      {"ResourceSlice", "resourceslices.resource.k8s.io"},
      {"DeviceClass", "deviceclasses.resource.k8s.io"},
  };
  for (const Entry& entry : kEntries)
    if (entry.kind == kind) return entry.resource;
  return {};
}

}  // namespace keelson::sched
