// ResourceQuota: what a write adds to the usage of its namespace must fit every quota that counts
// it; the new usage is written in the same transaction as the object.
#include <map>

#include "base/text.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "registry/admission/admission.h"
#include "registry/admission/pod_resources.h"

namespace keelson::registry::admission {

using model::Quantity;

namespace {

using Usage = std::map<std::string, Quantity, std::less<>>;

void pod_usage(const Value& pod, Usage& usage) {
  if (model::pod_is_finished(pod)) return;
  usage["pods"] = Quantity::units(1);
  const Value requests = pod_resources(pod, "requests"), limits = pod_resources(pod, "limits");
  for (const codec::Member& one : requests.members()) {
    const std::string name(one.key());
    const Quantity amount = Quantity::of(one.value);
    const bool plain = name == "cpu" || name == "memory" || name == "ephemeral-storage";
    const bool pages = name.starts_with("hugepages-");
    if (plain || pages) usage[name] = amount;
    if (plain || pages || name.find('/') != std::string::npos) usage["requests." + name] = amount;
  }
  for (const codec::Member& one : limits.members())
    if (one.key() == "cpu" || one.key() == "memory" || one.key() == "ephemeral-storage")
      usage["limits." + std::string(one.key())] = Quantity::of(one.value);
}

void service_usage(const Value& service, Usage& usage) {
  usage["services"] = Quantity::units(1);
  const Value& spec = service["spec"];
  const std::string_view type = spec["type"].as_string();
  std::int64_t ports = 0;
  if (type == "NodePort") ports = std::ssize(spec["ports"].elements());
  if (type == "LoadBalancer") {
    usage["services.loadbalancers"] = Quantity::units(1);
    for (const Value& port : spec["ports"].elements())
      if (spec["allocateLoadBalancerNodePorts"].as_bool(true) || port["nodePort"].as_int() > 0)
        ++ports;
  }
  usage["services.nodeports"] = Quantity::units(ports);
  if (type != "LoadBalancer") usage["services.loadbalancers"] = Quantity();
}

void claim_usage(const Value& claim, Usage& usage) {
  usage["persistentvolumeclaims"] = Quantity::units(1);
  std::string name(model::annotation_of(claim, "volume.beta.kubernetes.io/storage-class"));
  if (name.empty()) name = claim["spec"]["storageClassName"].str();
  const std::string prefix = name + ".storageclass.storage.k8s.io/";
  if (!name.empty()) usage[prefix + "persistentvolumeclaims"] = Quantity::units(1);
  const Value& asked = claim["spec"]["resources"]["requests"]["storage"];
  if (asked.is_null()) return;
  usage["requests.storage"] = Quantity::of(asked);
  if (!name.empty()) usage[prefix + "requests.storage"] = Quantity::of(asked);
}

// What one object counts for, by the names that quotas use.
Usage usage_of(const model::Resource& resource, const Value& object) {
  Usage usage;
  if (object.is_null()) return usage;
  usage["count/" + resource.name()] = Quantity::units(1);
  const std::string name = resource.name();
  if (name == "pods") pod_usage(object, usage);
  if (name == "services") service_usage(object, usage);
  if (name == "persistentvolumeclaims") claim_usage(object, usage);
  for (std::string_view plain :
       {"configmaps", "secrets", "replicationcontrollers", "resourcequotas"})
    if (name == plain) usage[name] = Quantity::units(1);
  return usage;
}

bool best_effort(const Value& pod) {
  for (const char* list : {"containers", "initContainers"})
    for (const Value& container : pod["spec"][list].elements())
      for (const char* part : {"requests", "limits"})
        for (const char* name : {"cpu", "memory"})
          if (!Quantity::of(container["resources"][part][name]).is_zero()) return false;
  return true;
}

bool crosses_namespaces(const Value& pod) {
  for (const char* kind : {"podAffinity", "podAntiAffinity"}) {
    const Value& affinity = pod["spec"]["affinity"][kind];
    const auto crosses = [](const Value& term) {
      return !term["namespaces"].empty() || term.has("namespaceSelector");
    };
    for (const Value& one : affinity["requiredDuringSchedulingIgnoredDuringExecution"].elements())
      if (crosses(one)) return true;
    for (const Value& one : affinity["preferredDuringSchedulingIgnoredDuringExecution"].elements())
      if (crosses(one["podAffinityTerm"])) return true;
  }
  return false;
}

// One scope requirement against an object; scopes other than a claim's class are about pods.
bool in_scope(const Value& requirement, const std::string& resource, const Value& object) {
  const std::string_view scope = requirement["scopeName"].as_string();
  const std::string_view op = requirement["operator"].as_string();
  const auto listed = [&](std::string_view value) {
    for (const Value& one : requirement["values"].elements())
      if (one.as_string() == value) return true;
    return false;
  };
  const auto by_operator = [&](std::string_view value) {
    if (op == "In") return listed(value);
    if (op == "NotIn") return !listed(value);
    if (op == "DoesNotExist") return value.empty();
    return !value.empty();
  };
  if (scope == "VolumeAttributesClass")
    return resource == "persistentvolumeclaims" &&
           by_operator(object["spec"]["volumeAttributesClassName"].as_string());
  if (resource != "pods") return false;
  const bool deadline = object["spec"].has("activeDeadlineSeconds");
  if (scope == "Terminating") return deadline;
  if (scope == "NotTerminating") return !deadline;
  if (scope == "BestEffort") return best_effort(object);
  if (scope == "NotBestEffort") return !best_effort(object);
  if (scope == "PriorityClass") return by_operator(object["spec"]["priorityClassName"].as_string());
  if (scope == "CrossNamespacePodAffinity") return crosses_namespaces(object);
  return false;
}

bool quota_matches(const Value& quota, const std::string& resource, const Value& object) {
  for (const Value& scope : quota["spec"]["scopes"].elements())
    if (!in_scope(Value::object({{"scopeName", scope}, {"operator", "Exists"}}), resource, object))
      return false;
  for (const Value& one : quota["spec"]["scopeSelector"]["matchExpressions"].elements())
    if (!in_scope(one, resource, object)) return false;
  return true;
}

// The resources of a quota that this kind of object can use.
std::vector<std::string> countable(const Value& quota, const model::Resource& resource) {
  std::vector<std::string> out;
  const std::string name = resource.name();
  for (const codec::Member& hard : quota["status"]["hard"].members()) {
    const std::string one(hard.key());
    bool fits = one == "count/" + name || one == name;
    if (name == "pods")
      fits = fits || one == "cpu" || one == "memory" || one == "ephemeral-storage" ||
             one.starts_with("limits.") || one.starts_with("hugepages-") ||
             (one.starts_with("requests.") && one != "requests.storage");
    if (name == "services") fits = fits || one.starts_with("services.");
    if (name == "persistentvolumeclaims")
      fits = fits || one == "requests.storage" ||
             one.find(".storageclass.storage.k8s.io/") != std::string::npos;
    if (fits) out.push_back(one);
  }
  return out;
}

// Quotas on cpu and memory demand that every container says what it needs.
std::string unspecified(const Value& pod, const std::vector<std::string>& names) {
  if (!pod["spec"]["resources"]["requests"].empty() || !pod["spec"]["resources"]["limits"].empty())
    return {};
  std::map<std::string, std::vector<std::string>> missing;
  for (const std::string& name : names) {
    std::string part = "requests", what = name;
    if (name.starts_with("requests.")) what = name.substr(9);
    if (name.starts_with("limits.")) {
      part = "limits";
      what = name.substr(7);
    }
    if (what != "cpu" && what != "memory") continue;
    std::map<std::string, bool> containers;
    for (const char* list : {"containers", "initContainers"})
      for (const Value& container : pod["spec"][list].elements())
        if (!container["resources"][part].has(what)) containers[container["name"].str()] = true;
    for (const auto& [container, absent] : containers)
      if (absent) missing[name].push_back(container);
  }
  std::vector<std::string> parts;
  for (const auto& [name, containers] : missing)
    parts.push_back(name + " for: " + join(containers, ","));
  return parts.empty() ? std::string() : "must specify " + join(parts, "; ");
}

std::string text_of(const Usage& usage) {
  std::vector<std::string> parts;
  for (const auto& [name, amount] : usage) parts.push_back(name + "=" + amount.text());
  return join(parts, ",");
}

Usage delta_of(const Usage& now, const Usage& before) {
  Usage out;
  for (const auto& [name, amount] : now) {
    const auto old = before.find(name);
    const Quantity more = old == before.end() ? amount : amount - old->second;
    if (more > Quantity()) out[name] = more;
  }
  return out;
}

// Checks one quota and gives the usage that it has afterwards.
Result<Value> charge(const Admission& admission, const Value& quota, const Usage& delta) {
  Usage requested, exceeded_requested, exceeded_used, exceeded_hard;
  Value used = quota["status"]["used"];
  for (const codec::Member& hard : quota["status"]["hard"].members()) {
    const auto more = delta.find(hard.key());
    if (more == delta.end()) continue;
    const Quantity before = Quantity::of(used[hard.key()]);
    const Quantity after = before + more->second;
    if (after > Quantity::of(hard.value)) {
      const std::string name(hard.key());
      exceeded_requested[name] = more->second;
      exceeded_used[name] = before;
      exceeded_hard[name] = Quantity::of(hard.value);
    }
    used.set(hard.key(), after.text());
  }
  if (!exceeded_hard.empty())
    return admission.refuse("exceeded quota: " + std::string(model::name_of(quota)) +
                            ", requested: " + text_of(exceeded_requested) + ", used: " +
                            text_of(exceeded_used) + ", limited: " + text_of(exceeded_hard));
  return used;
}

// Kinds whose changes may use more; of the others only creation counts.
bool counts(const Admission& admission) {
  if (admission.removing() || admission.namespace_name().empty()) return false;
  const std::string_view name = admission.resource();
  if (name == "pods")
    return (admission.creating() && admission.subresource().empty()) ||
           admission.subresource() == "resize";
  if (!admission.subresource().empty()) return false;
  if (name == "services" || name == "persistentvolumeclaims") return true;
  return admission.creating() && name != "events" && name != "namespaces";
}

}  // namespace

Result<void> resource_quota(Admission& admission) {
  if (!counts(admission)) return {};
  const model::Resource& resource = *admission.call().storage;
  const std::string name = resource.name();
  const Value& object = admission.object();
  Usage usage, before;
  for (const store::EntryPtr& entry :
       admission.state().entries("resourcequotas", admission.namespace_name())) {
    const Value& quota = entry->value();
    const std::vector<std::string> names = countable(quota, resource);
    if (names.empty() || !quota_matches(quota, name, object)) continue;
    if (name == "pods")
      if (const std::string why = unspecified(object, names); !why.empty())
        return admission.refuse("failed quota: " + std::string(model::name_of(quota)) + ": " + why);
    for (const std::string& one : names)
      if (!quota["status"]["used"].has(one))
        return admission.refuse("status unknown for quota: " + std::string(model::name_of(quota)) +
                                ", resources: " + join(names, ","));
    if (usage.empty()) {
      usage = usage_of(resource, object);
      before = admission.updating() ? usage_of(resource, admission.old()) : Usage();
    }
    const bool was_counted = admission.updating() && quota_matches(quota, name, admission.old());
    const Usage delta = delta_of(usage, was_counted ? before : Usage());
    if (delta.empty()) continue;
    TRY(Value used, charge(admission, quota, delta));
    if (used == quota["status"]["used"] || admission.call().request.dry()) continue;
    Value changed = quota;
    changed.edit("status").set("used", std::move(used));
    changed.edit("metadata").set("resourceVersion", admission.state().store.next_revision().text());
    admission.call().also.push_back({std::string(entry->key()), to_object_json(changed), changed});
  }
  return {};
}

}  // namespace keelson::registry::admission
