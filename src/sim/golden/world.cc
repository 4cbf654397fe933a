// See world.h.
#include "sim/golden/world.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/check.h"
#include "base/text.h"
#include "model/meta.h"
#include "model/scheme.h"
#include "model/types.h"

namespace keelson::sim::golden {
namespace {

struct KindOf {
  std::string_view kind, resource;
  bool namespaced;
};
constexpr std::array<KindOf, 19> kKinds{
    {{"Deployment", "deployments.apps", true},
     {"ReplicaSet", "replicasets.apps", true},
     {"StatefulSet", "statefulsets.apps", true},
     {"DaemonSet", "daemonsets.apps", true},
     {"ControllerRevision", "controllerrevisions.apps", true},
     {"Pod", "pods", true},
     {"PersistentVolumeClaim", "persistentvolumeclaims", true},
     {"Service", "services", true},
     {"EndpointSlice", "endpointslices.discovery.k8s.io", true},
     {"Lease", "leases.coordination.k8s.io", true},
     {"PodDisruptionBudget", "poddisruptionbudgets.policy", true},
     {"ReplicationController", "replicationcontrollers", true},
     {"ResourceQuota", "resourcequotas", true},
     {"ConfigMap", "configmaps", true},
     {"Secret", "secrets", true},
     {"Job", "jobs.batch", true},
     {"CronJob", "cronjobs.batch", true},
     {"Node", "nodes", false}}};

constexpr std::string_view kForeground = "foregroundDeletion";
constexpr std::string_view kTemplateGeneration = "deprecated.daemonset.template.generation";

void fill(Value& object, std::string_view key, const Value& value) {
  if (object[key].is_null()) object.set(key, value);
}

// The defaults of apps/v1 that controllers read. Those of pod templates change nothing for a
// controller, because every template passes through here alike.
void set_defaults(std::string_view resource, Value& object) {
  if (resource == "pods") {
    fill(object.edit("status"), "phase", "Pending");
    return;
  }
  if (!resource.ends_with(".apps") || resource == "controllerrevisions.apps") return;
  Value& spec = object.edit("spec");
  if (resource != "daemonsets.apps") fill(spec, "replicas", 1);
  if (resource == "replicasets.apps") return;
  fill(spec, "revisionHistoryLimit", 10);
  if (resource == "deployments.apps") {
    fill(spec, "progressDeadlineSeconds", 600);
    Value& strategy = spec.edit("strategy");
    fill(strategy, "type", "RollingUpdate");
    if (strategy["type"].as_string() != "RollingUpdate") return;
    fill(strategy.edit("rollingUpdate"), "maxSurge", "25%");
    fill(strategy.edit("rollingUpdate"), "maxUnavailable", "25%");
    return;
  }
  Value& strategy = spec.edit("updateStrategy");
  fill(strategy, "type", "RollingUpdate");
  const bool rolling = strategy["type"].as_string() == "RollingUpdate";
  if (resource == "daemonsets.apps") {
    if (!rolling) return;
    fill(strategy.edit("rollingUpdate"), "maxSurge", 0);
    fill(strategy.edit("rollingUpdate"), "maxUnavailable", 1);
    return;
  }
  if (rolling) fill(strategy.edit("rollingUpdate"), "partition", 0);
  fill(spec, "podManagementPolicy", "OrderedReady");
  Value& retention = spec.edit("persistentVolumeClaimRetentionPolicy");
  fill(retention, "whenDeleted", "Retain");
  fill(retention, "whenScaled", "Retain");
}

// What admission adds to a pod that does not say anything about its node getting lost.
void tolerate_lost_nodes(Value& pod) {
  for (const char* key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    bool said = false;
    for (const Value& toleration : pod["spec"]["tolerations"].elements()) {
      const std::string_view own = toleration["key"].as_string();
      const std::string_view effect = toleration["effect"].as_string();
      said = said || ((own == key || own.empty()) && (effect == "NoExecute" || effect.empty()));
    }
    if (said) continue;
    Value all = pod["spec"]["tolerations"].is_array() ? pod["spec"]["tolerations"] : Value::array();
    all.push_back(Value::object({{"key", key},
                                 {"operator", "Exists"},
                                 {"effect", "NoExecute"},
                                 {"tolerationSeconds", 300}}));
    pod.edit("spec").set("tolerations", all);
  }
}

// A new template of a DaemonSet counts in an annotation of its own.
void count_template(const Value& before, Value& object) {
  const std::int64_t count =
      parse_int(model::annotation_of(before, kTemplateGeneration)).value_or(0) + 1;
  object.edit("metadata").edit("annotations").set(kTemplateGeneration, std::to_string(count));
}

// The kind whose real rules hold in the recordings; null: only those of this file.
model::ResourcePointer ruled(std::string_view resource) {
  static const model::TypeTable table;
  for (const std::string_view one :
       {"jobs.batch", "cronjobs.batch", "poddisruptionbudgets.policy", "resourcequotas", "pods"})
    if (one == resource) return table.storage(resource);
  return nullptr;
}

std::string quoted(std::string_view name) {
  return "\"" + std::string(name) + "\"";
}

cluster::Key key_of(const Value& object) {
  return {std::string(model::namespace_of(object)), std::string(model::name_of(object))};
}

}  // namespace

std::string_view resource_of_kind(std::string_view kind) {
  for (const KindOf& known : kKinds)
    if (known.kind == kind) return known.resource;
  return {};
}

void merge_patch(Value& object, const Value& patch) {
  if (!patch.is_object()) {
    object = patch;
    return;
  }
  if (!object.is_object()) object = Value::object();
  for (const codec::Member& m : patch.members()) {
    if (m.value.is_null())
      object.erase(m.key());
    else
      merge_patch(object.edit(m.key()), m.value);
  }
}

const Value* World::find(std::string_view resource, const cluster::Key& key) const {
  const auto all = objects_.find(resource);
  if (all == objects_.end()) return nullptr;
  const auto at = all->second.find(key);
  return at == all->second.end() ? nullptr : &at->second;
}

Value World::get(std::string_view resource, std::string_view ns, std::string_view name) const {
  const Value* found = find(resource, {std::string(ns), std::string(name)});
  return found == nullptr ? Value() : *found;
}

std::vector<Value> World::list(std::string_view resource, std::string_view ns) const {
  std::vector<Value> found;
  if (const auto all = objects_.find(resource); all != objects_.end())
    for (const auto& [key, object] : all->second)
      if (ns.empty() || key.namespace_ == ns) found.push_back(object);
  return found;
}

std::vector<Value> World::owned_by(std::string_view resource, std::string_view uid) const {
  std::vector<Value> found = list(resource, {});
  std::erase_if(found, [&](const Value& object) {
    const codec::Array& owners = object["metadata"]["ownerReferences"].elements();
    return std::none_of(owners.begin(), owners.end(),
                        [&](const Value& owner) { return owner["uid"].as_string() == uid; });
  });
  return found;
}

void World::store(std::string_view resource, Value object) {
  Value& place = objects_[std::string(resource)][key_of(object)];
  object.edit("metadata").set("resourceVersion", std::to_string(++revision_));
  changes_.push_back({std::string(resource), place, object});
  place = std::move(object);
}

std::string World::fresh_name(std::string_view resource, std::string_view prefix) {
  if (options_.names_counted)
    return std::string(prefix) + std::to_string(names_[std::string(prefix)]++);
  while (true) {
    char suffix[32];
    std::snprintf(suffix, sizeof suffix, "%05lld", static_cast<long long>(++name_));
    std::string name = std::string(prefix) + suffix;
    if (find(resource, {"default", name}) == nullptr) return name;
  }
}

void World::refuse(const std::string& resource, const std::string& message) {
  if (message.empty())
    refused_.erase(resource);
  else
    refused_[resource] = message;
}

Result<Value> World::create(const Value& manifest) {
  const std::string_view kind = manifest["kind"].as_string();
  for (const KindOf& known : kKinds) {
    if (known.kind != kind) continue;
    Value object = manifest;
    if (known.namespaced) fill(object.edit("metadata"), "namespace", "default");
    return create(known.resource, std::move(object));
  }
  return Error{Reason::bad_request, "kind " + quoted(kind) + " does not occur in recordings"};
}

Result<Value> World::create(std::string_view resource, Value object) {
  Value& meta = object.edit("metadata");
  if (meta["name"].as_string().empty())
    meta.set("name", fresh_name(resource, meta["generateName"].as_string()));
  const std::string name = meta["name"].str();
  const std::string plain(resource.substr(0, resource.find('.')));
  for (const std::string& asked : {std::string(resource), plain})
    if (const auto at = refused_.find(asked); at != refused_.end())
      return Error{Reason::forbidden,
                   std::string(resource) + " " + quoted(name) + " is forbidden: " + at->second};
  if (find(resource, key_of(object)) != nullptr)
    return Error{Reason::already_exists,
                 std::string(resource) + " " + quoted(name) + " already exists"};
  if (resource == "pods" && quota_) {
    const auto used = static_cast<std::int64_t>(list("pods", {}).size());
    if (used >= *quota_)
      return Error{Reason::forbidden, "pods " + quoted(name) +
                                          " is forbidden: exceeded quota: q, requested: pods=1, "
                                          "used: pods=" +
                                          std::to_string(used) +
                                          ", limited: pods=" + std::to_string(*quota_)};
  }
  char uid[64];
  std::snprintf(uid, sizeof uid, "00000000-0000-4000-8000-%012lld", static_cast<long long>(++uid_));
  meta.set("uid", uid);
  fill(meta, "creationTimestamp", to_rfc3339(now()));
  meta.set("generation", 1);
  if (resource == "pods" && options_.default_tolerations) tolerate_lost_nodes(object);
  if (resource == "daemonsets.apps") count_template({}, object);
  if (const auto rules = options_.real_rules ? ruled(resource) : nullptr) {
    const Value status = object["status"];
    model::apply_defaults(*rules, object);
    model::prepare_create(*rules, object, now());
    if (resource != "pods")
      if (const auto errors = model::validate_create(*rules, object); !errors.empty())
        return errors.to_error(rules->group, rules->kind, name);
    // A manifest's status is kept as it is.
    if (!status.is_null()) merge_patch(object.edit("status"), status);
  }
  set_defaults(resource, object);
  store(resource, object);
  return get(resource, model::namespace_of(object), name);
}

Result<Value> World::commit(const cluster::Write& write) {
  using Verb = cluster::Write::Verb;
  if (write.verb == Verb::create) {
    Value object = write.object;
    if (!write.namespace_.empty()) object.edit("metadata").set("namespace", write.namespace_);
    return create(write.resource, std::move(object));
  }
  const Value* before = find(write.resource, {write.namespace_, write.name});
  if (before == nullptr)
    return Error{Reason::not_found, write.resource + " " + quoted(write.name) + " not found"};
  const std::string_view revision = write.verb == Verb::update ? model::revision_of(write.object)
                                                               : std::string_view(write.revision);
  if ((!revision.empty() && revision != model::revision_of(*before)) ||
      (!write.uid.empty() && write.uid != model::uid_of(*before)))
    return Error{Reason::conflict,
                 "Operation cannot be fulfilled on " + write.resource + " " + quoted(write.name) +
                     ": the object has been modified; please apply your changes to the latest "
                     "version and try again"};
  switch (write.verb) {
    case Verb::update: return replace(write.resource, *before, write.object, write.subresource);
    case Verb::merge_patch: {
      Value after = *before;
      merge_patch(after, write.object);
      return replace(write.resource, *before, std::move(after), write.subresource);
    }
    case Verb::remove: return remove(write);
    default: return Error{Reason::bad_request, "no controller in recordings applies"};
  }
}

// Status and the rest are written separately; what the server owns stays as it was.
Result<Value> World::replace(std::string_view resource, const Value& was, Value after,
                             std::string_view subresource) {
  const Value before = was;
  if (subresource == "status") {
    Value merged = before;
    merged.set("status", after["status"]);
    if (resource == "deployments.apps")
      merged.edit("metadata").set("annotations", after["metadata"]["annotations"]);
    after = std::move(merged);
  } else {
    after.set("status", before["status"]);
    set_defaults(resource, after);
  }
  Value& meta = after.edit("metadata");
  for (const char* kept : {"uid", "creationTimestamp", "generation", "resourceVersion"})
    meta.set(kept, before["metadata"][kept]);
  for (const char* emptied : {"ownerReferences", "annotations", "labels"})
    if (meta[emptied].empty()) meta.erase(emptied);
  const bool spec_changed = after["spec"] != before["spec"];
  const bool annotations_count =
      resource == "deployments.apps" && subresource.empty() &&
      after["metadata"]["annotations"] != before["metadata"]["annotations"];
  if (spec_changed || annotations_count)
    after.edit("metadata").set("generation", model::generation_of(before) + 1);
  if (resource == "daemonsets.apps" && after.at("spec.template") != before.at("spec.template"))
    count_template(before, after);
  if (const auto rules = options_.real_rules && resource != "pods" ? ruled(resource) : nullptr) {
    model::apply_defaults(*rules, after);
    const auto errors = subresource == "status"
                            ? model::validate_status_update(*rules, after, before)
                            : model::validate_update(*rules, after, before);
    if (!errors.empty()) return errors.to_error(rules->group, rules->kind, key_of(after).name);
  }
  if (options_.first_repeat_counts && subresource == "status") {
    const std::string uid(model::uid_of(before));
    if (after == before && uncut_.erase(uid) > 0) {
      store(resource, before);
      return get(resource, model::namespace_of(before), model::name_of(before));
    }
    if (after != before) uncut_.insert(uid);
  }
  if (after == before) return before;
  const cluster::Key key = key_of(after);
  const bool finalized = model::is_deleting(before) && !before["metadata"]["finalizers"].empty() &&
                         after["metadata"]["finalizers"].empty() &&
                         before["metadata"]["deletionGracePeriodSeconds"].as_int() == 0;
  store(resource, after);
  if (!finalized) return *find(resource, key);
  erase(resource, get(resource, key.namespace_, key.name));
  return after;
}

void World::put(std::string_view resource, Value object) {
  store(resource, std::move(object));
}

void World::erase(std::string_view resource, const Value& object) {
  const auto all = objects_.find(resource);
  KEELSON_CHECK(all != objects_.end());
  const auto at = all->second.find(key_of(object));
  KEELSON_CHECK(at != all->second.end());
  ++revision_;
  gone_.emplace(model::uid_of(object));
  changes_.push_back({std::string(resource), at->second, Value()});
  all->second.erase(at);
}

Result<Value> World::remove(const cluster::Write& write) {
  const Value object = get(write.resource, write.namespace_, write.name);
  const bool graceful = write.resource == "pods" && !model::pod_is_finished(object) &&
                        !object["spec"]["nodeName"].as_string().empty();
  const bool waits = write.resource == "persistentvolumeclaims" && claim_is_used(object);
  if (write.propagation == "Orphan") orphan_dependents(object);
  const std::int64_t grace =
      graceful
          ? write.grace_seconds.value_or(object["spec"]["terminationGracePeriodSeconds"].as_int(30))
          : 0;
  if (write.propagation == "Foreground" && !model::is_deleting(object)) {
    // The dependents go first; see collect_garbage.
    Value going = object;
    Value& meta = going.edit("metadata");
    meta.edit("finalizers").push_back(kForeground);
    meta.set("deletionTimestamp", to_rfc3339(now()));
    meta.set("deletionGracePeriodSeconds", 0);
    meta.set("generation", model::generation_of(object) + 1);
    store(write.resource, going);
    return going;
  }
  const bool finalizers = !object["metadata"]["finalizers"].empty();
  if (grace == 0 && !finalizers && !waits) {
    erase(write.resource, get(write.resource, write.namespace_, write.name));
    return object;
  }
  if (model::is_deleting(object) &&
      grace >= object["metadata"]["deletionGracePeriodSeconds"].as_int())
    return object;
  Value going = object;
  going.edit("metadata").set("deletionTimestamp", to_rfc3339(now() + Duration::seconds(grace)));
  going.edit("metadata").set("deletionGracePeriodSeconds", grace);
  store(write.resource, std::move(going));
  return get(write.resource, write.namespace_, write.name);
}

bool World::claim_is_used(const Value& claim) const {
  for (const Value& pod : list("pods", model::namespace_of(claim)))
    if (!model::pod_is_finished(pod))
      for (const Value& volume : pod["spec"]["volumes"].elements())
        if (volume["persistentVolumeClaim"]["claimName"].as_string() == model::name_of(claim))
          return true;
  return false;
}

bool World::remove_unused_claims() {
  bool changed = false;
  for (const Value& claim : list("persistentvolumeclaims", {}))
    if (model::is_deleting(claim) && !claim_is_used(claim)) {
      erase("persistentvolumeclaims", claim);
      changed = true;
    }
  return changed;
}

void World::orphan_dependents(const Value& owner) {
  for (const KindOf& known : kKinds)
    for (Value& dependent : owned_by(known.resource, model::uid_of(owner))) {
      Value left = Value::array();
      for (const Value& reference : dependent["metadata"]["ownerReferences"].elements())
        if (reference["uid"].as_string() != model::uid_of(owner)) left.push_back(reference);
      Value& meta = dependent.edit("metadata");
      if (left.empty())
        meta.erase("ownerReferences");
      else
        meta.set("ownerReferences", left);
      store(known.resource, dependent);
    }
}

// An owner that waits for its dependents: they are deleted, and when the last is gone, so is it.
bool World::delete_dependents(std::string_view resource, Value owner) {
  bool changed = false, left = false;
  for (const KindOf& known : kKinds)
    for (const Value& dependent : owned_by(known.resource, model::uid_of(owner))) {
      left = true;
      if (model::is_deleting(dependent)) continue;
      cluster::Write write;
      write.verb = cluster::Write::Verb::remove;
      write.resource = known.resource;
      write.namespace_ = model::namespace_of(dependent);
      write.name = model::name_of(dependent);
      changed = commit(write).ok() || changed;
    }
  if (left) return changed;
  Value kept = Value::array();
  for (const Value& finalizer : owner["metadata"]["finalizers"].elements())
    if (finalizer.as_string() != kForeground) kept.push_back(finalizer);
  if (kept.empty()) {
    erase(resource, owner);
  } else {
    owner.edit("metadata").set("finalizers", kept);
    store(resource, owner);
  }
  return true;
}

bool World::collect_garbage() {
  bool changed = remove_unused_claims();
  for (const KindOf& known : kKinds)
    for (const Value& object : list(known.resource, {}))
      for (const Value& finalizer : object["metadata"]["finalizers"].elements())
        if (finalizer.as_string() == kForeground && model::is_deleting(object))
          changed = delete_dependents(known.resource, object) || changed;
  for (const KindOf& known : kKinds) {
    for (Value& object : list(known.resource, {})) {
      const codec::Array& owners = object["metadata"]["ownerReferences"].elements();
      Value left = Value::array();
      for (const Value& reference : owners) {
        if (!gone_.contains(reference["uid"].as_string())) left.push_back(reference);
      }
      if (left.size() == owners.size()) continue;
      if (!left.empty()) {
        object.edit("metadata").set("ownerReferences", left);
        store(known.resource, object);
        changed = true;
        continue;
      }
      if (model::is_deleting(object)) continue;
      cluster::Write write;
      write.verb = cluster::Write::Verb::remove;
      write.resource = known.resource;
      write.namespace_ = model::namespace_of(object);
      write.name = model::name_of(object);
      changed = commit(write).ok() || changed;
    }
  }
  return changed;
}

std::vector<Change> World::take_changes() {
  return std::exchange(changes_, {});
}

}  // namespace keelson::sim::golden
