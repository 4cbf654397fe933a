// What may be changed of a pod through its subresources: ephemeral containers, and sizes.
#include <algorithm>

#include "model/go_diff.h"
#include "model/go_print.h"
#include "model/scheme.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"

namespace keelson::model {
namespace {

const Path& spec_path() {
  static const Path path("spec");
  return path;
}

bool is_mirror(const Value& pod) {
  return annotations_of(pod).has("kubernetes.io/config.mirror");
}

const Value& named(const Value& list, const Value& name) {
  static const Value none;
  for (const Value& one : list.elements())
    if (one["name"] == name) return one;
  return none;
}

// --- ephemeral containers ---

// The order of the list may differ: a patch does not keep it.
void check_debugged(const Value& pod, const Value& old, FieldErrors& errors) {
  check_annotation_changes(annotations_of(pod), annotations_of(old), errors);
  if (is_mirror(old)) {
    errors = {};
    errors.forbidden(Path("[]"), "static pods do not support ephemeral containers");
    return;
  }
  constexpr std::string_view kType = "io.k8s.api.core.v1.EphemeralContainer";
  const Path path = spec_path().child("ephemeralContainers");
  for (const Value& before : old["spec"]["ephemeralContainers"].elements()) {
    const Value& now = named(pod["spec"]["ephemeralContainers"], before["name"]);
    const std::string head =
        "existing ephemeral containers " + quote(before["name"].as_string()) + " may not be ";
    if (now.is_null())
      errors.forbidden(path, head + "removed\n");
    else if (!(now == before))
      errors.forbidden(
          path, head + "changed\n" +
                    json_diff(printed_internal(kType, before), printed_internal(kType, now)));
  }
}

// --- sizes ---

bool is_removed(const Value& now, const Value& before) {
  const auto& members = before.members();
  return before.size() > now.size() ||
         std::any_of(members.begin(), members.end(),
                     [&](const codec::Member& m) { return !now.has(m.key()); });
}

// Whether the node that runs the pod can change sizes; one that runs nothing yet might.
bool can_resize(const Value& pod) {
  for (const Value& status : pod["status"]["containerStatuses"].elements())
    if (status["state"].has("running")) return status.has("resources");
  return true;
}

bool check_order(std::string_view list, const Value& now, const Value& before,
                 FieldErrors& errors) {
  const std::size_t faults = errors.size();
  const Path path = spec_path().child(list);
  if (now[list].size() != before[list].size()) {
    errors.forbidden(path, std::string(list) + " may not be added or removed on resize");
    return false;
  }
  for (std::size_t i = 0; i < now[list].size(); ++i) {
    const Path at = path.index(i);
    if (!(now[list][i]["name"] == before[list][i]["name"]))
      errors.forbidden(at.child("name"),
                       std::string(list) + " may not be renamed or reordered on resize");
  }
  return errors.size() == faults;
}

// Requests and limits of cpu and memory as they were; empty lists are none.
Value without_sizes(const Value& resources, const Value& before) {
  Value out = Value::object();
  for (std::string_view part : {"limits", "requests"}) {
    Value list = resources[part];
    if (list.is_null()) list = Value::object();
    for (std::string_view name : {"cpu", "memory"})
      if (before[part].has(name))
        list.set(name, before[part][name]);
      else
        list.erase(name);
    if (!list.empty()) out.set(part, list);
  }
  return out;
}

Value without_empty_parts(Value resources) {
  for (std::string_view part : {"limits", "requests"})
    if (resources.is_object() && resources[part].empty()) resources.erase(part);
  return resources.is_null() ? Value::object() : resources;
}

Value with_resources(Value container, Value resources) {
  container.set("resources", std::move(resources));
  return container;
}

bool differs_beyond_sizes(const Value& now, const Value& before) {
  const Value a = with_resources(now, without_sizes(now["resources"], before["resources"]));
  const Value b = with_resources(before, without_empty_parts(before["resources"]));
  return !(a == b);
}

void check_pod_level_sizes(const Value& now, const Value& before, FieldErrors& errors) {
  const Path path = spec_path().child("resources");
  const Value &fresh = now["resources"], &old = before["resources"];
  if (old.is_object() && fresh.is_null()) {
    errors.forbidden(path, "pod-level resources cannot be removed");
    return;
  }
  if (is_removed(fresh["requests"], old["requests"]))
    errors.forbidden(path.child("requests"), "pod-level resource requests cannot be removed");
  if (is_removed(fresh["limits"], old["limits"]))
    errors.forbidden(path.child("limits"), "pod-level resource limits cannot be removed");
  if (!(without_sizes(fresh, old) == without_empty_parts(old)))
    errors.forbidden(spec_path(), "only cpu and memory resources are mutable at pod-level");
}

void check_init_sizes(const Path& path, const Value& now, const Value& before,
                      FieldErrors& errors) {
  if (differs_beyond_sizes(now, before))
    errors.forbidden(path,
                     "only cpu and memory resources for init or sidecar containers are mutable");
  if (now == before || text_of(now, "restartPolicy") == "Always") return;
  for (const Value& policy : now["resizePolicy"].elements())
    if (text_of(policy, "restartPolicy") == "RestartContainer")
      errors.forbidden(path,
                       "non-sidecar init containers with a resize policy of RestartContainer "
                       "cannot be resized");
}

void check_resized(const Value& pod, const Value& old, FieldErrors& errors) {
  const auto refuse = [&](std::string_view why) {
    errors = {};
    errors.forbidden(Path("[]"), why);
  };
  if (is_mirror(old)) return refuse("static pods cannot be resized");
  const Value &now = pod["spec"], &before = old["spec"];
  if (text_of(before["os"], "name") == "windows") return refuse("windows pods cannot be resized");
  const Value& quality = old["status"]["qosClass"];
  const std::string_view had =
      quality.as_string().empty() ? quality_of(before) : quality.as_string();
  if (had != quality_of(now))
    errors.invalid(spec_path(), text_of(pod["status"], "qosClass"),
                   "Pod QOS Class may not change as a result of resizing");
  if (!can_resize(old))
    errors.forbidden(spec_path(), "Pod running on node without support for resize");
  const auto is_sized = [](const Value& spec) {
    return !spec["resources"]["requests"].empty() || !spec["resources"]["limits"].empty();
  };
  if (is_sized(now) || is_sized(before)) check_pod_level_sizes(now, before, errors);
  if (!old["status"]["nodeAllocatableResourceClaimStatuses"].empty())
    errors.forbidden(spec_path(), "pods with node allocatable resource claims cannot be resized");
  const bool main = check_order("containers", now, before, errors);
  if (!check_order("initContainers", now, before, errors) || !main) return;
  for (std::string_view list : {"initContainers", "containers"}) {
    const Path path = spec_path().child(list);
    for (std::size_t i = 0; i < now[list].size(); ++i) {
      const Path container = path.index(i), at = container.child("resources");
      const Value &fresh = now[list][i]["resources"], &was = before[list][i]["resources"];
      if (is_removed(fresh["requests"], was["requests"]))
        errors.forbidden(at.child("requests"), "resource requests cannot be removed");
      if (is_removed(fresh["limits"], was["limits"]))
        errors.forbidden(at.child("limits"), "resource limits cannot be removed");
    }
  }
  constexpr std::string_view kOnly = "only cpu and memory resources are mutable";
  for (std::size_t i = 0; i < now["containers"].size(); ++i)
    if (differs_beyond_sizes(now["containers"][i], before["containers"][i]))
      errors.forbidden(spec_path(), kOnly);
  const Path init = spec_path().child("initContainers");
  for (std::size_t i = 0; i < now["initContainers"].size(); ++i)
    check_init_sizes(init.index(i), now["initContainers"][i], before["initContainers"][i], errors);
  if (!errors.empty()) return;
  Value rest = now, rest_before = before;
  for (std::string_view list : {"containers", "initContainers", "resources"}) {
    rest.erase(list);
    rest_before.erase(list);
  }
  if (!(rest == rest_before)) errors.forbidden(spec_path(), kOnly);
}

}  // namespace

void update_pod_part(std::string_view subresource, const Value& pod, const Value& old,
                     FieldErrors& errors) {
  if (subresource != "ephemeralcontainers" && subresource != "resize") return;
  const Path metadata("metadata");
  check_kind_metadata_update(pod["metadata"], old["metadata"], metadata, errors);
  check_kind_metadata(pod["metadata"], true, subdomain_name, metadata, errors);
  check_pod(pod, errors);
  if (subresource == "resize")
    check_resized(pod, old, errors);
  else
    check_debugged(pod, old, errors);
}

}  // namespace keelson::model
