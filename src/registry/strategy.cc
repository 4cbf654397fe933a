#include "registry/strategy.h"

#include <algorithm>
#include <map>
#include <string>

#include "model/meta.h"
#include "model/scheme.h"

namespace keelson::registry {

namespace {

constexpr std::string_view kSpec = "spec";

bool same(const Value& a, const Value& b, std::string_view path) {
  return a.at(path) == b.at(path);
}

void set_or_erase(Value& object, std::string_view key, const Value& value) {
  if (value.is_null())
    object.erase(key);
  else
    object.set(key, value);
}

// --- pods ---

bool pod_spec_changed(const Value& a, const Value& b) {
  return !same(a, b, kSpec);
}

void update_pod_status(Change& change) {
  Value& pod = change.object;
  Value& meta = pod.edit("metadata");
  set_or_erase(meta, "ownerReferences", change.old["metadata"]["ownerReferences"]);
  if (!pod["status"].has("qosClass") && change.old["status"].has("qosClass"))
    pod.edit("status").set("qosClass", change.old["status"]["qosClass"]);
}

// --- namespaces ---

void update_namespace(Change& change) {
  Value& object = change.object;
  const Value& finalizers = change.old["spec"]["finalizers"];
  if (finalizers.is_null() && !object["spec"].is_object()) return;
  set_or_erase(object.edit("spec"), "finalizers", finalizers);
}

// --- volumes ---

void update_volume_status(Change& change) {
  constexpr std::string_view kTime = "lastPhaseTransitionTime";
  const Value before = change.old["status"];
  Value& after = change.object.edit("status");
  if (before["phase"] == after["phase"]) {
    if (!after.has(kTime) && before.has(kTime)) after.set(kTime, before[kTime]);
  } else if (!after.has(kTime) || after[kTime] == before[kTime]) {
    after.set(kTime, to_rfc3339(change.now));
  }
}

// --- others ---

void create_limit_range(Change& change) {
  Value& meta = change.object.edit("metadata");
  if (meta["name"].as_string().empty() && meta["generateName"].as_string().empty())
    meta.set("name", change.rng.uuid());
}

void update_secret(Change& change) {
  // The type is immutable; leaving it out keeps it.
  if (change.object["type"].as_string().empty() && change.old.has("type"))
    change.object.set("type", change.old["type"]);
}

// A taint without a time was added now.
void stamp_taints(Change& change) {
  if (change.object["spec"]["devices"].is_null()) return;
  Value& devices = change.object.edit("spec").edit("devices");
  for (std::size_t i = 0; i < devices.size(); ++i)
    for (std::size_t t = 0; t < devices[i]["taints"].size(); ++t)
      if (devices[i]["taints"][t]["timeAdded"].is_null())
        devices.edit(i).edit("taints").edit(t).set("timeAdded", to_rfc3339(change.now));
}

void set_requester(Change& change) {
  Value& spec = change.object.edit("spec");
  const Identity& who = change.identity;
  for (std::string_view key : {"username", "uid", "groups", "extra"}) spec.erase(key);
  if (!who.user.empty()) spec.set("username", who.user);
  if (!who.uid.empty()) spec.set("uid", who.uid);
  for (const std::string& group : who.groups) spec.edit("groups").push_back(group);
  for (const auto& [key, values] : who.extra) {
    Value list = Value::array();
    for (const std::string& value : values) list.push_back(value);
    spec.edit("extra").set(key, std::move(list));
  }
}

void keep_spec(Change& change) {
  set_or_erase(change.object, kSpec, change.old[kSpec]);
}

// Times of certificate conditions; approvals and denials stay as they were.
void stamp_conditions(Change& change) {
  if (change.object["status"]["conditions"].is_null()) return;
  Value& conditions = change.object.edit("status").edit("conditions");
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    Value& one = conditions.edit(i);
    if (one["lastUpdateTime"].is_null()) one.set("lastUpdateTime", to_rfc3339(change.now));
    if (!one["lastTransitionTime"].is_null()) continue;
    Value time = to_rfc3339(change.now);
    for (const Value& old : change.old["status"]["conditions"].elements())
      if (old["type"] == one["type"] && old["status"] == one["status"] &&
          !old["lastTransitionTime"].is_null())
        time = old["lastTransitionTime"];
    one.set("lastTransitionTime", std::move(time));
  }
}

// What was decided stays as it is; how many decisions there are is left to validation.
void keep_decisions(Change& change) {
  keep_spec(change);
  const auto places = [](const Value& conditions, std::string_view type) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < conditions.size(); ++i)
      if (conditions[i]["type"].as_string() == type) found.push_back(i);
    return found;
  };
  const Value before = change.old["status"]["conditions"];
  for (const std::string_view type : {"Approved", "Denied"}) {
    const auto old = places(before, type);
    const auto now = places(change.object["status"]["conditions"], type);
    if (old.size() != now.size()) continue;
    for (std::size_t i = 0; i < old.size(); ++i)
      change.object.edit("status").edit("conditions").edit(now[i]) = before[old[i]];
  }
  stamp_conditions(change);
}

// The template's own generation is kept in an annotation since apps/v1.
constexpr std::string_view kTemplateGeneration = "deprecated.daemonset.template.generation";

void update_daemon_set(Change& change) {
  std::int64_t generation = 0;
  for (char c : model::annotation_of(change.old, kTemplateGeneration))
    if (c >= '0' && c <= '9') generation = generation * 10 + (c - '0');
  if (!same(change.old, change.object, "spec.template")) ++generation;
  if (generation == 0) return;
  change.object.edit("metadata")
      .edit("annotations")
      .set(kTemplateGeneration, std::to_string(generation));
}

void update_daemon_set_status(Change& change) {
  const std::string_view generation = model::annotation_of(change.old, kTemplateGeneration);
  if (!generation.empty())
    change.object.edit("metadata").edit("annotations").set(kTemplateGeneration, generation);
}

const std::map<std::string_view, Strategy>& strategies() {
  static const std::map<std::string_view, Strategy> table = [] {
    using Meta = Strategy::StatusMeta;
    std::map<std::string_view, Strategy> out;
    const auto add = [&](Strategy strategy) { out[strategy.resource] = std::move(strategy); };
    const std::vector<std::string_view> spec = {kSpec};
    // Core.
    add({.resource = "namespaces",
         .has_status = true,
         .echo = true,

         .update = update_namespace});
    add({.resource = "nodes", .has_status = true});
    add({.resource = "pods",
         .has_status = true,
         .echo = true,
         .generation_fields = spec,
         .update_status = update_pod_status});
    add({.resource = "services", .has_status = true, .upsert = true, .echo = true});
    add({.resource = "serviceaccounts", .echo = true});
    add({.resource = "persistentvolumes",
         .has_status = true,
         .echo = true,

         .update_status = update_volume_status});
    add({.resource = "persistentvolumeclaims", .has_status = true, .echo = true});
    add({.resource = "podtemplates", .echo = true, .generation_fields = {"template"}});
    add({.resource = "resourcequotas", .has_status = true, .echo = true});
    add({.resource = "replicationcontrollers",
         .has_status = true,
         .orphan = true,
         .generation_fields = spec});
    add({.resource = "secrets", .update = update_secret});
    add({.resource = "limitranges", .upsert = true, .create = create_limit_range});
    add({.resource = "endpoints", .upsert = true});
    add({.resource = "events", .upsert = true, .collectable = false});
    // Workloads.
    add({.resource = "deployments.apps",
         .has_status = true,
         .status_meta = Meta::labels,
         .generation_fields = {kSpec, "metadata.annotations"}});
    add({.resource = "replicasets.apps", .has_status = true, .generation_fields = spec});
    add({.resource = "statefulsets.apps", .has_status = true, .generation_fields = spec});
    add({.resource = "daemonsets.apps",
         .has_status = true,
         .generation_fields = spec,

         .update = update_daemon_set,
         .update_status = update_daemon_set_status});
    add({.resource = "jobs.batch", .has_status = true, .orphan = true, .generation_fields = spec});
    add({.resource = "cronjobs.batch", .has_status = true, .generation_fields = spec});
    add({.resource = "horizontalpodautoscalers.autoscaling", .has_status = true});
    add({.resource = "poddisruptionbudgets.policy",
         .has_status = true,
         .versioned = true,
         .generation_fields = spec});
    // Network.
    add({.resource = "ingresses.networking.k8s.io", .has_status = true, .generation_fields = spec});
    add({.resource = "ingressclasses.networking.k8s.io", .generation_fields = spec});
    add({.resource = "networkpolicies.networking.k8s.io", .generation_fields = spec});
    add({.resource = "servicecidrs.networking.k8s.io",
         .has_status = true,
         .status_meta = Meta::all});
    add({.resource = "endpointslices.discovery.k8s.io",
         .generation_fields = {"endpoints", "ports", "addressType", "metadata.labels"}});
    add({.resource = "leases.coordination.k8s.io", .upsert = true, .versioned = true});
    // Storage.
    add({.resource = "storageclasses.storage.k8s.io", .echo = true});
    add({.resource = "volumeattributesclasses.storage.k8s.io", .echo = true});
    add({.resource = "csidrivers.storage.k8s.io",
         .versioned = true,
         .echo = true,
         .generation_fields = spec,
         .generation_from_zero = true});
    add({.resource = "csinodes.storage.k8s.io", .versioned = true, .echo = true});
    add({.resource = "csistoragecapacities.storage.k8s.io", .versioned = true});
    add({.resource = "volumeattachments.storage.k8s.io",
         .has_status = true,
         .versioned = true,
         .echo = true,
         .status_meta = Meta::all});
    // Devices.
    add({.resource = "resourceclaims.resource.k8s.io",
         .has_status = true,
         .echo = true,
         .status_meta = Meta::all});
    add({.resource = "resourceclaimtemplates.resource.k8s.io", .echo = true});
    add({.resource = "resourceslices.resource.k8s.io",
         .echo = true,
         .generation_fields = spec,
         .create = stamp_taints,
         .update = stamp_taints});
    add({.resource = "deviceclasses.resource.k8s.io", .echo = true, .generation_fields = spec});
    // Access.
    const std::string_view access[] = {
        "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io"};
    for (std::string_view name : access) add({.resource = name, .upsert = true});
    add({.resource = "certificatesigningrequests.certificates.k8s.io",
         .has_status = true,
         .create = set_requester,
         .update = keep_spec,
         .update_status = keep_decisions});
    add({.resource = "priorityclasses.scheduling.k8s.io", .generation_fields = {""}});
    add({.resource = "runtimeclasses.node.k8s.io", .upsert = true, .versioned = true});
    // The server itself.
    add({.resource = "flowschemas.flowcontrol.apiserver.k8s.io",
         .has_status = true,
         .status_meta = Meta::all,
         .generation_fields = spec});
    add({.resource = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
         .has_status = true,
         .status_meta = Meta::all,
         .generation_fields = spec});
    add({.resource = "apiservices.apiregistration.k8s.io", .has_status = true, .versioned = true});
    add({.resource = "customresourcedefinitions.apiextensions.k8s.io",
         .has_status = true,
         .versioned = true,
         .generation_fields = spec});
    const std::string_view admission[] = {
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io"};
    for (std::string_view name : admission)
      add({.resource = name, .versioned = true, .generation_fields = spec});
    add({.resource = "validatingadmissionpolicies.admissionregistration.k8s.io",
         .has_status = true,
         .versioned = true,
         .status_meta = Meta::all,
         .generation_fields = spec});
    const std::string_view webhooks[] = {
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io"};
    for (std::string_view name : webhooks)
      add({.resource = name, .versioned = true, .generation_fields = {"webhooks"}});
    return out;
  }();
  return table;
}

// Of a custom resource: everything but metadata and status.
bool custom_content_changed(const Value& a, const Value& b, bool has_status) {
  Value left = a, right = b;
  for (std::string_view key : {"metadata", "apiVersion", "kind"}) {
    left.erase(key);
    right.erase(key);
  }
  if (has_status) {
    left.erase("status");
    right.erase("status");
  }
  return !(left == right);
}

bool generation_changes(const Strategy& strategy, const Change& change) {
  if (strategy.resource == "*")
    return custom_content_changed(change.old, change.object, strategy.has_status);
  if (strategy.resource == "pods") return pod_spec_changed(change.old, change.object);
  for (std::string_view path : strategy.generation_fields)
    if (!path.empty() && !same(change.old, change.object, path)) {
      // An absent map and an empty one are the same.
      if (change.old.at(path).empty() && change.object.at(path).empty() &&
          path.starts_with("metadata."))
        continue;
      return true;
    }
  return false;
}

}  // namespace

const Strategy& strategy_of(std::string_view resource) {
  static const Strategy plain;
  const auto found = strategies().find(resource);
  return found == strategies().end() ? plain : found->second;
}

const Strategy& custom_strategy(bool has_status) {
  static const Strategy with = {
      .resource = "*", .has_status = true, .versioned = true, .generation_fields = {"*"}};
  static const Strategy without = {.resource = "*", .versioned = true, .generation_fields = {"*"}};
  return has_status ? with : without;
}

void prepare_create(const Strategy& strategy, Change& change) {
  model::prepare_create(change.resource, change.object, change.now);
  if (!strategy.generation_fields.empty() && !strategy.generation_from_zero)
    change.object.edit("metadata").set("generation", 1);
  if (strategy.create) strategy.create(change);
}

void prepare_update(const Strategy& strategy, Change& change) {
  // Before the kind's own rules: a definition's new storage version is noted in its status.
  if (strategy.has_status) set_or_erase(change.object, "status", change.old["status"]);
  model::prepare_update(change.resource, change.object, change.old);
  Value& meta = change.object.edit("metadata");
  set_or_erase(meta, "generation", change.old["metadata"]["generation"]);
  if (strategy.update) strategy.update(change);
  if (!strategy.generation_fields.empty() && generation_changes(strategy, change))
    change.object.edit("metadata").set("generation", model::generation_of(change.old) + 1);
  if (strategy.resource == "endpointslices.discovery.k8s.io")
    model::drop_old_topology(change.object);
}

void prepare_status_update(const Strategy& strategy, Change& change) {
  Value& object = change.object;
  if (strategy.resource == "*") {
    // Custom resources: only status and managedFields come from the writer.
    Value fresh = change.old;
    set_or_erase(fresh, "status", object["status"]);
    set_or_erase(fresh.edit("metadata"), "managedFields", object["metadata"]["managedFields"]);
    object = std::move(fresh);
    return;
  }
  for (const codec::Member& member : change.old.members())
    if (member.key() != "metadata" && member.key() != "status")
      object.set(member.key(), member.value);
  std::vector<std::string> extra;
  for (const codec::Member& member : object.members())
    if (!change.old.has(member.key()) && member.key() != "status" && member.key() != "metadata")
      extra.emplace_back(member.key());
  for (const std::string& key : extra) object.erase(key);
  if (strategy.status_meta != Strategy::StatusMeta::free) {
    Value& meta = object.edit("metadata");
    set_or_erase(meta, "labels", change.old["metadata"]["labels"]);
    if (strategy.status_meta == Strategy::StatusMeta::all)
      for (std::string_view key : {"annotations", "finalizers", "ownerReferences"})
        set_or_erase(meta, key, change.old["metadata"][key]);
  }
  if (strategy.update_status) strategy.update_status(change);
}

namespace {

// A pod as it was, but for the field owners and, of its spec, what `change_spec` takes over.
void keep_pod(Change& change, void (*change_spec)(Value& spec, const Value& wanted)) {
  Value pod = change.old;
  const Value wanted = change.object["spec"];
  set_or_erase(pod.edit("metadata"), "managedFields", change.object["metadata"]["managedFields"]);
  change_spec(pod.edit("spec"), wanted);
  if (!(pod["spec"] == change.old["spec"]))
    pod.edit("metadata").set("generation", model::generation_of(change.old) + 1);
  change.object = std::move(pod);
}

void take_resources(Value& spec, const Value& wanted, std::string_view list) {
  for (std::size_t i = 0; i < spec[list].size(); ++i)
    for (const Value& other : wanted[list].elements())
      if (other["name"] == spec[list][i]["name"]) {
        Value& container = spec.edit(list).edit(i);
        set_or_erase(container, "resources", other["resources"]);
        set_or_erase(container, "resizePolicy", other["resizePolicy"]);
      }
}

}  // namespace

void prepare_part_update(std::string_view subresource, Change& change) {
  if (subresource == "ephemeralcontainers") {
    keep_pod(change, [](Value& spec, const Value& wanted) {
      set_or_erase(spec, "ephemeralContainers", wanted["ephemeralContainers"]);
    });
  } else if (subresource == "resize") {
    keep_pod(change, [](Value& spec, const Value& wanted) {
      take_resources(spec, wanted, "containers");
      take_resources(spec, wanted, "initContainers");
    });
  } else if (subresource == "approval") {
    stamp_conditions(change);
    const Value conditions = change.object["status"]["conditions"];
    set_or_erase(change.object, kSpec, change.old[kSpec]);
    set_or_erase(change.object, "status", change.old["status"]);
    if (change.object["status"].is_object())
      set_or_erase(change.object.edit("status"), "conditions", conditions);
    else if (!conditions.is_null())
      change.object.edit("status").set("conditions", conditions);
  } else if (subresource == "finalize") {
    set_or_erase(change.object, "status", change.old["status"]);
  } else {
    prepare_update(strategy_of(""), change);
  }
}

}  // namespace keelson::registry
