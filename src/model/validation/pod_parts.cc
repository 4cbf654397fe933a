// What the subresources of a pod may change: ephemeralcontainers only adds containers, resize only
// changes cpu and memory. Source: ValidatePodEphemeralContainersUpdate and ValidatePodResize.
#include <algorithm>

#include "model/go_diff.h"
#include "model/go_print.h"
#include "model/scheme.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"

namespace keelson::model {
namespace {

constexpr std::string_view kType = "io.k8s.api.core.v1.EphemeralContainer";
constexpr std::string_view kMirror = "kubernetes.io/config.mirror";

bool is_mirror(const Value& pod) {
  return pod["metadata"]["annotations"].has(kMirror);
}

const Value* find_by_name(const Value& list, const Value& name) {
  for (const Value& one : list.elements())
    if (one["name"] == name) return &one;
  return nullptr;
}

void check_added_containers(const Value& pod, const Value& old, FieldErrors& errors) {
  if (is_mirror(old)) {
    errors = FieldErrors();
    errors.forbidden(Path("[]"), "static pods do not support ephemeral containers");
    return;
  }
  const Path path("spec.ephemeralContainers");
  for (const Value& before : old["spec"]["ephemeralContainers"].elements()) {
    const std::string name = '"' + before["name"].str() + '"';
    const Value* now = find_by_name(pod["spec"]["ephemeralContainers"], before["name"]);
    if (now == nullptr)
      errors.forbidden(path, "existing ephemeral containers " + name + " may not be removed\n");
    else if (!(*now == before))
      errors.forbidden(
          path, "existing ephemeral containers " + name + " may not be changed\n" +
                    json_diff(printed_internal(kType, before), printed_internal(kType, *now)));
  }
}

bool removed(const Value& now, const Value& before) {
  return std::any_of(before.members().begin(), before.members().end(),
                     [&](const codec::Member& m) { return !now.has(m.key()); });
}

// The same list of containers in the same order.
bool check_order(const Value& now, const Value& before, FieldErrors& errors) {
  bool same = true;
  const Path spec("spec");
  for (const char* list : {"containers", "initContainers"}) {
    const Path path = spec.child(list);
    if (now[list].size() != before[list].size()) {
      errors.forbidden(path, std::string(list) + " may not be added or removed on resize");
      same = false;
      continue;
    }
    for (std::size_t i = 0; i < now[list].size(); ++i) {
      if (now[list][i]["name"] == before[list][i]["name"]) continue;
      const Path at = path.index(i);
      errors.forbidden(at.child("name"),
                       std::string(list) + " may not be renamed or reordered on resize");
      same = false;
    }
  }
  return same;
}

bool is_sidecar(const Value& container) {
  return container["restartPolicy"].as_string() == "Always";
}

// The container with cpu and memory as they were before.
Value without_sizes(Value container, const Value& before) {
  for (const char* list : {"limits", "requests"})
    for (const char* resource : {"cpu", "memory"}) {
      const Value& old = before["resources"][list][resource];
      if (!old.is_null())
        container.edit("resources").edit(list).set(resource, old);
      else if (container["resources"][list].has(resource))
        container.edit("resources").edit(list).erase(resource);
    }
  for (const char* list : {"limits", "requests"})
    if (container["resources"].has(list) && container["resources"][list].empty())
      container.edit("resources").erase(list);
  return container;
}

void check_removed_sizes(const Value& now, const Value& before, FieldErrors& errors) {
  const Path spec("spec");
  for (const char* list : {"initContainers", "containers"}) {
    const Path path = spec.child(list);
    for (std::size_t i = 0; i < before[list].size(); ++i) {
      if (std::string_view(list) == "initContainers" && !is_sidecar(before[list][i])) continue;
      const Value &fresh = now[list][i]["resources"], &old = before[list][i]["resources"];
      const Path container = path.index(i);
      const Path at = container.child("resources");
      if (removed(fresh["requests"], old["requests"]))
        errors.forbidden(at.child("requests"), "resource requests cannot be removed");
      if (removed(fresh["limits"], old["limits"]))
        errors.forbidden(at.child("limits"), "resource limits cannot be removed");
    }
  }
}

void check_only_sizes(const Value& now, const Value& before, FieldErrors& errors) {
  const Path spec("spec");
  for (std::size_t i = 0; i < before["containers"].size(); ++i) {
    const Value& old = before["containers"][i];
    Value fresh = without_sizes(now["containers"][i], old);
    fresh.set("resizePolicy", old["resizePolicy"]);
    Value same = old;
    same.set("resizePolicy", old["resizePolicy"]);
    if (!(fresh == without_sizes(same, old)))
      errors.forbidden(spec, "only cpu and memory resources are mutable");
  }
  const Path path = spec.child("initContainers");
  for (std::size_t i = 0; i < before["initContainers"].size(); ++i) {
    const Value &fresh = now["initContainers"][i], &old = before["initContainers"][i];
    if (!is_sidecar(old)) {
      if (!(fresh == old))
        errors.forbidden(spec, "resources for non-sidecar init containers are immutable");
    } else if (!(without_sizes(fresh, old) == without_sizes(old, old))) {
      errors.forbidden(path.index(i),
                       "only cpu and memory resources for init or sidecar containers are mutable");
    }
  }
}

void check_resize(const Value& pod, const Value& old, FieldErrors& errors) {
  const Value &now = pod["spec"], &before = old["spec"];
  const auto refuse = [&](std::string_view why) {
    errors = FieldErrors();
    errors.forbidden(Path("[]"), std::string(why));
  };
  if (is_mirror(old)) return refuse("static pods cannot be resized");
  if (before["os"]["name"].as_string() == "windows")
    return refuse("windows pods cannot be resized");
  const Path spec("spec");
  if (quality_of(before) != quality_of(now))
    errors.invalid(spec, pod["status"]["qosClass"],
                   "Pod QOS Class may not change as a result of resizing");
  if (!check_order(now, before, errors)) return;
  check_removed_sizes(now, before, errors);
  check_only_sizes(now, before, errors);
}

}  // namespace

void update_pod_part(std::string_view subresource, const Value& pod, const Value& old,
                     FieldErrors& errors) {
  check_kind_metadata(pod["metadata"], true, subdomain_name, Path("metadata"), errors);
  check_pod(pod, errors);
  if (subresource == "ephemeralcontainers") {
    check_annotation_changes(pod["metadata"]["annotations"], old["metadata"]["annotations"],
                             errors);
    check_added_containers(pod, old, errors);
  } else if (subresource == "resize") {
    check_resize(pod, old, errors);
  }
}

}  // namespace keelson::model
