// Pods and PodTemplates as objects: creation, update, and what a pod's update may change.
#include <algorithm>

#include "model/go_diff.h"
#include "model/go_print.h"
#include "model/validation/pod.h"
#include "model/validation/rules.h"

namespace keelson::model {
namespace {

constexpr std::string_view kPodSpec = "io.k8s.api.core.v1.PodSpec";

const Path& metadata_path() {
  static const Path path("metadata");
  return path;
}
const Path& spec_path() {
  static const Path path("spec");
  return path;
}

void check_image_padding(const Value& spec, FieldErrors& errors) {
  for (const char* list : {"containers", "initContainers"}) {
    const Path all = spec_path().child(list);
    for (std::size_t i = 0; i < spec[list].size(); ++i) {
      const std::string_view image = text_of(spec[list][i], "image");
      const Path at = all.index(i);
      if (trim(image) != image)
        errors.invalid(at.child("image"), image, "must not have leading or trailing whitespace");
    }
  }
}

}  // namespace

void check_pod(const Value& pod, FieldErrors& errors) {
  const Value& spec = pod["spec"];
  check_pod_annotations(metadata_path().child("annotations"), pod["metadata"]["annotations"], spec,
                        errors);
  check_pod_spec(spec_path(), spec, pod["metadata"], errors);
  if (empty_text(spec["serviceAccountName"])) {
    const Path volumes = spec_path().child("volumes");
    for (std::size_t v = 0; v < spec["volumes"].size(); ++v) {
      const Path volume = volumes.index(v);
      const Path sources = volume.child("projected.sources");
      const Value& list = spec["volumes"][v]["projected"]["sources"];
      for (std::size_t s = 0; s < list.size(); ++s) {
        const Path at = sources.index(s);
        if (!list[s]["serviceAccountToken"].is_null())
          errors.forbidden(at.child("serviceAccountToken"),
                           "must not be specified when serviceAccountName is not set");
      }
    }
  }
  check_image_padding(spec, errors);
}

namespace {

void create_pod(const Value& pod, FieldErrors& errors) {
  check_pod(pod, errors);
  const Value& spec = pod["spec"];
  if (!spec["ephemeralContainers"].empty())
    errors.forbidden(spec_path().child("ephemeralContainers"), "cannot be set on create");
  if (!empty_text(spec["nodeName"]) && !spec["schedulingGates"].empty())
    errors.forbidden(spec_path().child("nodeName"),
                     "cannot be set until all schedulingGates have been cleared");
  check_profile_annotations(spec_path(), pod["metadata"]["annotations"], spec, errors);
}

}  // namespace

void check_annotation_changes(const Value& now, const Value& before, FieldErrors& errors) {
  const Path path = metadata_path().child("annotations");
  constexpr std::string_view armor = "container.apparmor.security.beta.kubernetes.io/";
  constexpr std::string_view mirror = "kubernetes.io/config.mirror";
  const auto look = [&](std::string_view key, std::string_view verb) {
    if (key.substr(0, armor.size()) == armor)
      errors.forbidden(path.key(key), "may not " + std::string(verb) + " AppArmor annotations");
    if (key == mirror)
      errors.forbidden(path.key(key), "may not " + std::string(verb) + " mirror pod annotation");
  };
  for (const codec::Member& m : before.members()) {
    const Value* kept = now.find(m.key());
    if (kept == nullptr || !(*kept == m.value)) look(m.key(), "remove or update");
  }
  for (const codec::Member& m : now.members())
    if (!before.has(m.key())) look(m.key(), "add");
}

namespace {

// True if the lists differ in length, which ends the checks.
bool check_container_updates(const char* list, const Value& now, const Value& before,
                             FieldErrors& errors) {
  const Path path = spec_path().child(list);
  if (now[list].size() != before[list].size()) {
    errors.forbidden(path, "pod updates may not add or remove containers");
    return true;
  }
  for (std::size_t i = 0; i < now[list].size(); ++i) {
    const std::string_view image = text_of(now[list][i], "image");
    const Path at = path.index(i);
    if (image.empty()) errors.required(at.child("image"));
    if (trim(image) != image)
      errors.invalid(at.child("image"), image, "must not have leading or trailing whitespace");
  }
  return false;
}

bool check_deadline(const Value& now, const Value& before, FieldErrors& errors) {
  const Path path = spec_path().child("activeDeadlineSeconds");
  const Value& fresh = now["activeDeadlineSeconds"];
  const Value& old = before["activeDeadlineSeconds"];
  if (fresh.is_null()) {
    if (!old.is_null())
      errors.invalid(path, Value(), "must not update from a positive integer to nil value");
    return true;
  }
  if (fresh.as_int() < 0 || fresh.as_int() > INT32_MAX) {
    errors.invalid(path, fresh, range_message(0, INT32_MAX));
    return false;
  }
  if (!old.is_null() && old.as_int() < fresh.as_int()) {
    errors.invalid(path, fresh, "must be less than or equal to previous value");
    return false;
  }
  return true;
}

void check_added_tolerations(const Value& now, const Value& before, FieldErrors& errors) {
  const Path path = spec_path().child("tolerations");
  for (const Value& old : before.elements()) {
    bool found = false;
    for (Value fresh : now.elements()) {
      fresh.set("tolerationSeconds", old["tolerationSeconds"]);
      Value same = old;
      same.set("tolerationSeconds", old["tolerationSeconds"]);
      found = found || fresh == same;
    }
    if (!found) {
      errors.forbidden(path,
                       "existing toleration can not be modified except its "
                       "tolerationSeconds");
      return;
    }
  }
  check_tolerations(path, now, errors);
}

void check_gates(const Value& now, const Value& before, FieldErrors& errors) {
  const Path path = spec_path().child("schedulingGates");
  for (std::size_t i = 0; i < now.size(); ++i) {
    const auto& old = before.elements();
    if (std::find(old.begin(), old.end(), now[i]) != old.end()) continue;
    const Path at = path.index(i);
    errors.forbidden(at.child("name"), "only deletion is allowed, but found new scheduling gate '" +
                                           now[i]["name"].str() + "'");
  }
}

// A gated pod may still be aimed at fewer nodes.
void check_gated_placement(Value& now, const Value& before, FieldErrors& errors) {
  if (!(now["nodeSelector"] == before["nodeSelector"])) {
    for (const codec::Member& m : before["nodeSelector"].members()) {
      const Value* kept = now["nodeSelector"].find(m.key());
      if (kept != nullptr && *kept == m.value) continue;
      errors.invalid(spec_path().child("nodeSelector"), now["nodeSelector"],
                     "only additions to spec.nodeSelector are allowed (no mutations or "
                     "deletions)");
      break;
    }
    now.set("nodeSelector", before["nodeSelector"]);
  }
  const Value old = before["affinity"]["nodeAffinity"], fresh = now["affinity"]["nodeAffinity"];
  if (old == fresh) return;
  constexpr const char* required = "requiredDuringSchedulingIgnoredDuringExecution";
  const Value& terms = fresh[required]["nodeSelectorTerms"];
  const Value& old_terms = old[required]["nodeSelectorTerms"];
  const Path path = spec_path().child(
      "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
  constexpr std::string_view type = "io.k8s.api.core.v1.NodeSelectorTerm";
  if (!old_terms.empty() && old_terms.size() != terms.size()) {
    errors.invalid_printed(
        path, terms.is_null() ? "null" : printed_internal_list(type, terms),
        "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
  } else {
    for (std::size_t i = 0; i < old_terms.size(); ++i) {
      bool good = true;
      for (const char* list : {"matchExpressions", "matchFields"}) {
        const Value& had = old_terms[i][list];
        if (terms[i][list].size() < had.size()) good = false;
        for (std::size_t e = 0; good && e < had.size(); ++e) good = terms[i][list][e] == had[e];
      }
      if (old_terms[i].empty() && !terms[i].empty()) good = false;
      if (!good)
        errors.invalid_printed(path.index(i), printed_internal(type, terms[i]),
                               "only additions are allowed (no mutations or deletions)");
    }
  }
  if (before["affinity"].is_null() && now["affinity"].size() <= 1)
    now.erase("affinity");
  else if (old.is_null())
    now.edit("affinity").erase("nodeAffinity");
  else
    now.edit("affinity").set("nodeAffinity", old);
}

void drop_nulls(Value& value) {
  std::vector<std::string> keys;
  for (const codec::Member& m : value.members())
    if (m.value.is_null()) keys.emplace_back(m.key());
  for (const std::string& key : keys) value.erase(key);
}

void update_pod(const Value& pod, const Value& old, FieldErrors& errors) {
  check_kind_metadata(pod["metadata"], true, subdomain_name, metadata_path(), errors);
  check_pod(pod, errors);
  check_annotation_changes(pod["metadata"]["annotations"], old["metadata"]["annotations"], errors);
  check_pod_annotations(metadata_path().child("annotations"), pod["metadata"]["annotations"],
                        pod["spec"], errors);
  Value now = pod["spec"], before = old["spec"];
  for (const char* list : {"containers", "initContainers"})
    if (check_container_updates(list, now, before, errors)) return;
  if (!check_deadline(now, before, errors)) return;
  check_added_tolerations(now["tolerations"], before["tolerations"], errors);
  check_gates(now["schedulingGates"], before["schedulingGates"], errors);
  if (now == before) return;
  for (const char* list : {"containers", "initContainers"})
    for (std::size_t i = 0; i < now[list].size(); ++i)
      now.edit(list).edit(i).set("image", before[list][i]["image"]);
  for (const char* field : {"activeDeadlineSeconds", "schedulingGates", "tolerations"})
    now.set(field, before[field]);
  if (before["terminationGracePeriodSeconds"].as_int() < 0 &&
      now["terminationGracePeriodSeconds"].as_int() == 1)
    now.set("terminationGracePeriodSeconds", before["terminationGracePeriodSeconds"]);
  if (!before["schedulingGates"].empty()) check_gated_placement(now, before, errors);
  drop_nulls(now);
  drop_nulls(before);
  if (!(now == before))
    errors.forbidden(
        spec_path(),
        std::string("pod updates may not change fields other than ") +
            "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`"
            ","
            "`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
            "negative)\n" +
            json_diff(printed_internal(kPodSpec, before), printed_internal(kPodSpec, now)));
}

void check_template_object(const Value& object, FieldErrors& errors) {
  const Path path("template");
  check_pod_template(path, object["template"], errors);
}

}  // namespace

std::vector<KindRules> pod_rules() {
  return {
      {.resource = "pods",
       .create = create_pod,
       .update = update_pod,
       .status = check_pod_status,
       .recheck = Recheck::none,
       .part = update_pod_part},
      {.resource = "podtemplates", .create = check_template_object},
  };
}

}  // namespace keelson::model
