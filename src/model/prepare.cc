// The part of each kind's strategy that changes the object before its rules are checked.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "model/meta.h"
#include "model/quantity.h"
#include "model/scheme.h"

namespace keelson::model {
namespace {

using codec::Value;

// Kinds whose generation counts changes of spec.
constexpr std::array kGenerations = {
    std::string_view("pods"),
    std::string_view("podtemplates"),
    std::string_view("replicationcontrollers"),
    std::string_view("deployments.apps"),
    std::string_view("replicasets.apps"),
    std::string_view("statefulsets.apps"),
    std::string_view("daemonsets.apps"),
    std::string_view("jobs.batch"),
    std::string_view("cronjobs.batch"),
    std::string_view("ingresses.networking.k8s.io"),
    std::string_view("ingressclasses.networking.k8s.io"),
    std::string_view("networkpolicies.networking.k8s.io"),
    std::string_view("poddisruptionbudgets.policy"),
    std::string_view("endpointslices.discovery.k8s.io"),
    std::string_view("priorityclasses.scheduling.k8s.io"),
    std::string_view("mutatingwebhookconfigurations.admissionregistration.k8s.io"),
    std::string_view("validatingwebhookconfigurations.admissionregistration.k8s.io"),
    std::string_view("validatingadmissionpolicies.admissionregistration.k8s.io"),
    std::string_view("validatingadmissionpolicybindings.admissionregistration.k8s.io"),
    std::string_view("mutatingadmissionpolicies.admissionregistration.k8s.io"),
    std::string_view("mutatingadmissionpolicybindings.admissionregistration.k8s.io"),
    std::string_view("customresourcedefinitions.apiextensions.k8s.io"),
    std::string_view("flowschemas.flowcontrol.apiserver.k8s.io"),
    std::string_view("prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"),
    std::string_view("resourceslices.resource.k8s.io"),
    std::string_view("deviceclasses.resource.k8s.io"),
};

bool has_generation(const Resource& r) {
  return r.custom ||
         std::find(kGenerations.begin(), kGenerations.end(), r.name()) != kGenerations.end();
}

bool has_status(const Resource& r) {
  return r.subresource("status") != nullptr;
}

// The empty status as it is served, or none if the kind does not serve an empty one.
void clear_status(const Resource& r, Value& object) {
  if (r.custom) {
    object.erase("status");
    return;
  }
  const codec::Field* field = r.type->field("status");
  if (field == nullptr) return;
  object.erase("status");
  const auto decoded = decode_value(r, Value::object(), FieldValidation::ignore);
  if (decoded && decoded->object.has("status")) object.set("status", decoded->object["status"]);
}

bool guaranteed_quality(const Value& spec, bool& best_effort) {
  bool guaranteed = true;
  best_effort = true;
  const auto look = [&](const Value& resources) {
    for (const char* name : {"cpu", "memory"}) {
      const Value& limit = resources["limits"][name];
      const Value& request = resources["requests"][name];
      const bool any = !Quantity::of(limit).is_zero() || !Quantity::of(request).is_zero();
      if (any) best_effort = false;
      if (Quantity::of(limit).is_zero() ||
          (!request.is_null() && !(Quantity::of(limit) == Quantity::of(request))))
        guaranteed = false;
    }
  };
  if (spec["resources"].is_object() &&
      (!spec["resources"]["limits"].empty() || !spec["resources"]["requests"].empty())) {
    look(spec["resources"]);
    return guaranteed;
  }
  for (const char* list : {"containers", "initContainers"})
    for (const Value& c : spec[list].elements()) look(c["resources"]);
  return guaranteed;
}

// Keys whose values the pod's own labels give become part of the selector of a term.
void merge_label_keys(Value& term, const Value& labels) {
  if (!term["labelSelector"].is_object()) return;
  const auto merge = [&](const char* list, const char* op) {
    for (const Value& key : term[list].elements()) {
      const Value* value = labels.find(key.as_string());
      if (value == nullptr) continue;
      term.edit("labelSelector")
          .edit("matchExpressions")
          .push_back(
              Value::object({{"key", key}, {"operator", op}, {"values", Value::array({*value})}}));
    }
  };
  merge("matchLabelKeys", "In");
  merge("mismatchLabelKeys", "NotIn");
}

void merge_affinity_keys(Value& spec, const Value& labels) {
  for (const char* kind : {"podAffinity", "podAntiAffinity"}) {
    if (!spec["affinity"][kind].is_object()) continue;
    Value& affinity = spec.edit("affinity").edit(kind);
    constexpr const char* required = "requiredDuringSchedulingIgnoredDuringExecution";
    constexpr const char* preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    for (std::size_t i = 0; i < affinity[required].size(); ++i)
      merge_label_keys(affinity.edit(required).edit(i), labels);
    for (std::size_t i = 0; i < affinity[preferred].size(); ++i)
      merge_label_keys(affinity.edit(preferred).edit(i).edit("podAffinityTerm"), labels);
  }
  for (std::size_t i = 0; i < spec["topologySpreadConstraints"].size(); ++i)
    if (!spec["topologySpreadConstraints"][i]["matchLabelKeys"].empty())
      merge_label_keys(spec.edit("topologySpreadConstraints").edit(i), labels);
}

}  // namespace

Value app_armor_profile_of(std::string_view annotation) {
  if (annotation == "unconfined") return Value::object({{"type", "Unconfined"}});
  if (annotation == "runtime/default") return Value::object({{"type", "RuntimeDefault"}});
  if (annotation.starts_with("localhost/"))
    return Value::object({{"type", "Localhost"}, {"localhostProfile", annotation.substr(10)}});
  return {};
}

std::vector<std::string> adopt_app_armor(Value& pod) {
  std::vector<std::string> warnings;
  const Value annotations = pod["metadata"]["annotations"];
  if (annotations.empty() || pod["spec"]["os"]["name"].as_string() == "windows") return warnings;
  const Value own = pod["spec"]["securityContext"]["appArmorProfile"];
  for (const char* list : {"initContainers", "containers", "ephemeralContainers"})
    for (std::size_t i = 0; i < pod["spec"][list].size(); ++i) {
      const Value& container = pod["spec"][list][i];
      const std::string key =
          "container.apparmor.security.beta.kubernetes.io/" + container["name"].str();
      const Value* annotation = annotations.find(key);
      if (annotation == nullptr || !container["securityContext"]["appArmorProfile"].is_null())
        continue;
      Value profile = app_armor_profile_of(annotation->as_string());
      const bool is_unusable = profile.is_null() || profile["localhostProfile"] == Value("");
      if (!is_unusable && profile == own) continue;
      if (!is_unusable)
        pod.edit("spec").edit(list).edit(i).edit("securityContext").set("appArmorProfile", profile);
      warnings.push_back("metadata.annotations[" + key +
                         "]: deprecated since v1.30; use the \"appArmorProfile\" field instead");
    }
  return warnings;
}

std::string_view quality_of(const Value& pod_spec) {
  bool best_effort = true;
  const bool guaranteed = guaranteed_quality(pod_spec, best_effort);
  return best_effort ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

namespace {

void prepare_pod(Value& pod, Instant now) {
  const Value labels = pod["metadata"]["labels"];
  merge_affinity_keys(pod.edit("spec"), labels);
  Value status = Value::object({{"phase", "Pending"}, {"qosClass", quality_of(pod["spec"])}});
  if (!pod["spec"]["schedulingGates"].empty())
    status.set("conditions",
               Value::array({Value::object({{"type", "PodScheduled"},
                                            {"status", "False"},
                                            {"lastProbeTime", nullptr},
                                            {"lastTransitionTime", to_rfc3339(now)},
                                            {"reason", "SchedulingGated"},
                                            {"message",
                                             "Scheduling is blocked due to non-empty scheduling "
                                             "gates"}})}));
  pod.set("status", status);
}

// Of its secrets only the names count.
void prepare_service_account(Value& account) {
  for (std::size_t i = 0; i < account["secrets"].size(); ++i) {
    const Value name = account["secrets"][i]["name"];
    account.edit("secrets").edit(i) = Value::object();
    if (!name.is_null()) account.edit("secrets").edit(i).set("name", name);
  }
}

void prepare_job(Value& job) {
  if (job["spec"]["manualSelector"].as_bool()) return;
  const Value uid = job["metadata"]["uid"], name = job["metadata"]["name"];
  Value& labels = job.edit("spec").edit("template").edit("metadata").edit("labels");
  for (const char* prefix : {"", "batch.kubernetes.io/"}) {
    const std::string start(prefix);
    if (!labels.has(start + "job-name")) labels.set(start + "job-name", name);
    if (!labels.has(start + "controller-uid")) labels.set(start + "controller-uid", uid);
  }
  Value& spec = job.edit("spec");
  if (spec["selector"].is_null()) spec.set("selector", Value::object());
  Value& match = spec.edit("selector").edit("matchLabels");
  if (!match.has("batch.kubernetes.io/controller-uid"))
    match.set("batch.kubernetes.io/controller-uid", uid);
}

void prepare_namespace(Value& ns) {
  Value finalizers = ns["spec"]["finalizers"];
  const auto& all = finalizers.elements();
  if (std::none_of(all.begin(), all.end(),
                   [](const Value& f) { return f.as_string() == "kubernetes"; }))
    finalizers.push_back("kubernetes");
  ns.edit("spec").set("finalizers", finalizers);
  ns.set("status", Value::object({{"phase", "Active"}}));
}

// dataSource and dataSourceRef say the same, unless the latter names a namespace: then it is
// dropped, as that feature is off. Before there were references, dataSource took claims and
// snapshots alone and dropped anything else silently.
void prepare_claim(Value& claim, const Value& old) {
  Value& spec = claim.edit("spec");
  const Value& before = old["spec"];
  const auto is_core_kind = [](const Value& source) {
    const std::string_view kind = source["kind"].as_string();
    const std::string_view group = source["apiGroup"].as_string();
    return (kind == "PersistentVolumeClaim" && group.empty()) ||
           (kind == "VolumeSnapshot" && group == "snapshot.storage.k8s.io");
  };
  if (before["dataSource"].is_null() && spec["dataSourceRef"].is_null() &&
      !spec["dataSource"].is_null() && !is_core_kind(spec["dataSource"]))
    spec.erase("dataSource");
  const auto is_foreign = [](const Value& reference) {
    return !reference["namespace"].as_string().empty();
  };
  if (is_foreign(spec["dataSourceRef"]) && before["dataSourceRef"].is_null())
    spec.erase("dataSourceRef");
  const Value source = spec["dataSource"], reference = spec["dataSourceRef"];
  const auto copy = [](const Value& from) {
    Value to = from;
    to.erase("namespace");
    return to;
  };
  if (source.is_object() && reference.is_null())
    spec.set("dataSourceRef", copy(source));
  else if (reference.is_object() && source.is_null() && !is_foreign(reference))
    spec.set("dataSource", copy(reference));
}

void prepare_daemon_set(Value& set) {
  set.edit("metadata").edit("annotations").set("deprecated.daemonset.template.generation", "1");
}

// The generation of the template lives on in an annotation, which no client can set.
void prepare_daemon_set_update(Value& set, const Value& old) {
  constexpr const char* key = "deprecated.daemonset.template.generation";
  auto generation = parse_int(old["metadata"]["annotations"][key].as_string()).value_or(1);
  if (!(set["spec"]["template"] == old["spec"]["template"])) ++generation;
  set.edit("metadata").edit("annotations").set(key, std::to_string(generation));
}

void prepare_node(Value& node) {
  if (!node["spec"].is_object()) return;
  node.edit("spec").erase("configSource");
}

// clusterIPs is what counts; clusterIP mirrors its first element.
void prepare_service(Value& service) {
  Value& spec = service.edit("spec");
  if (spec["type"].as_string() == "ExternalName") return;
  const std::string first = spec["clusterIP"].str();
  if (!first.empty() && spec["clusterIPs"].empty()) spec.set("clusterIPs", Value::array({first}));
}

bool has_cluster_address(const Value& spec) {
  return spec["type"].as_string() != "ExternalName";
}
bool has_node_ports(const Value& spec) {
  return spec["type"].as_string() == "NodePort" || spec["type"].as_string() == "LoadBalancer";
}
bool has_health_port(const Value& spec) {
  return spec["type"].as_string() == "LoadBalancer" &&
         spec["externalTrafficPolicy"].as_string() == "Local";
}
bool is_external(const Value& spec) {
  return has_node_ports(spec) ||
         (spec["type"].as_string() == "ClusterIP" && !spec["externalIPs"].empty());
}

// What the server allocated need not be repeated by the client.
void keep_allocated(Value& spec, const Value& before) {
  if (has_cluster_address(spec) && has_cluster_address(before)) {
    if (spec["clusterIP"].as_string().empty() && before.has("clusterIP"))
      spec.set("clusterIP", before["clusterIP"]);
    if (spec["clusterIPs"].empty() && !before["clusterIPs"].empty())
      spec.set("clusterIPs", before["clusterIPs"]);
  }
  if (has_node_ports(spec) && has_node_ports(before)) {
    const auto port_of = [](const Value& s, const Value& name) -> std::int64_t {
      for (const Value& p : s["ports"].elements())
        if (p["name"] == name) return p["nodePort"].as_int();
      return 0;
    };
    const auto uses = [](const Value& s, std::int64_t port) {
      const auto& ports = s["ports"].elements();
      return std::any_of(ports.begin(), ports.end(),
                         [&](const Value& p) { return p["nodePort"].as_int() == port; });
    };
    const Value asked = spec;
    for (std::size_t i = 0; i < spec["ports"].size(); ++i) {
      if (spec["ports"][i]["nodePort"].as_int() != 0) continue;
      const auto port = port_of(before, spec["ports"][i]["name"]);
      if (port != 0 && !uses(asked, port)) spec.edit("ports").edit(i).set("nodePort", port);
    }
  }
  if (has_health_port(spec) && has_health_port(before) && !spec.has("healthCheckNodePort") &&
      before.has("healthCheckNodePort"))
    spec.set("healthCheckNodePort", before["healthCheckNodePort"]);
}

// A change of type drops what the new type has no use for, if the client left it as it was.
void drop_for_type(Value& spec, const Value& before) {
  const auto drop = [&](const char* field) {
    if (spec[field] == before[field]) spec.erase(field);
  };
  if (has_cluster_address(before) && !has_cluster_address(spec)) {
    const bool same =
        spec["clusterIP"] == before["clusterIP"] && spec["clusterIPs"] == before["clusterIPs"];
    if (same) {
      spec.erase("clusterIP");
      spec.erase("clusterIPs");
    }
    drop("ipFamilies");
    drop("ipFamilyPolicy");
  }
  if (has_node_ports(before) && !has_node_ports(spec))
    for (std::size_t i = 0; i < spec["ports"].size(); ++i)
      for (const Value& old : before["ports"].elements())
        if (spec["ports"][i]["nodePort"].as_int() != 0 &&
            old["nodePort"] == spec["ports"][i]["nodePort"])
          spec.edit("ports").edit(i).erase("nodePort");
  if (has_health_port(before) && !has_health_port(spec)) drop("healthCheckNodePort");
  const auto is_balancer = [](const Value& s) { return s["type"].as_string() == "LoadBalancer"; };
  if (is_balancer(before) && !is_balancer(spec)) {
    drop("allocateLoadBalancerNodePorts");
    drop("loadBalancerClass");
  }
  if (is_external(before) && !is_external(spec)) drop("externalTrafficPolicy");
}

void prepare_service_update(Value& service, const Value& old) {
  Value& spec = service.edit("spec");
  const Value& before = old["spec"];
  keep_allocated(spec, before);
  const std::string now = spec["clusterIP"].str(), first = before["clusterIP"].str();
  if (now != first && spec["clusterIPs"] == before["clusterIPs"]) {
    if (now.empty())
      spec.erase("clusterIPs");
    else
      spec.set("clusterIPs", Value::array({now}));
  }
  drop_for_type(spec, before);
}

// Fields whose features are off by default are dropped.
void drop_disabled_in_pod(Value& spec) {
  spec.erase("schedulingGroup");
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"})
    for (std::size_t i = 0; i < spec[list].size(); ++i)
      if (!spec[list][i]["lifecycle"]["stopSignal"].is_null()) {
        Value& container = spec.edit(list).edit(i);
        container.edit("lifecycle").erase("stopSignal");
        if (container["lifecycle"].empty()) container.erase("lifecycle");
      }
  for (std::size_t v = 0; v < spec["volumes"].size(); ++v) {
    const std::size_t count = spec["volumes"][v]["projected"]["sources"].size();
    for (std::size_t s = 0; s < count; ++s)
      for (const char* kind : {"clusterTrustBundle", "podCertificate"})
        if (spec["volumes"][v]["projected"]["sources"][s].has(kind))
          spec.edit("volumes").edit(v).edit("projected").edit("sources").edit(s).erase(kind);
  }
}

void drop_disabled_in_devices(Value& devices) {
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (devices[i].has("nodeAllocatableResourceMappings"))
      devices.edit(i).erase("nodeAllocatableResourceMappings");
    for (const codec::Member& attribute : std::vector(devices[i]["attributes"].members()))
      for (const char* list : {"bools", "ints", "strings", "versions"})
        if (attribute.value.has(list))
          devices.edit(i).edit("attributes").edit(attribute.key()).erase(list);
  }
}

void drop_disabled(const Resource& r, Value& object) {
  const std::string name = r.name();
  if (name == "resourceslices.resource.k8s.io" && !object["spec"]["devices"].empty())
    drop_disabled_in_devices(object.edit("spec").edit("devices"));
  if (name == "csidrivers.storage.k8s.io" && object["spec"].has("preventPodSchedulingIfMissing"))
    object.edit("spec").erase("preventPodSchedulingIfMissing");
  if (name == "leases.coordination.k8s.io" && object["spec"].is_object())
    for (const char* field : {"strategy", "preferredHolder"}) object.edit("spec").erase(field);
  if (name == "pods") drop_disabled_in_pod(object.edit("spec"));
  if (name == "podtemplates" && object["template"]["spec"].is_object())
    drop_disabled_in_pod(object.edit("template").edit("spec"));
  if (name == "cronjobs.batch") {
    if (object["spec"]["jobTemplate"]["spec"]["template"]["spec"].is_object())
      drop_disabled_in_pod(
          object.edit("spec").edit("jobTemplate").edit("spec").edit("template").edit("spec"));
  } else if (object["spec"]["template"]["spec"].is_object() && !r.custom) {
    drop_disabled_in_pod(object.edit("spec").edit("template").edit("spec"));
  }
  if (name == "statefulsets.apps" &&
      !object["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"].is_null())
    object.edit("spec").edit("updateStrategy").edit("rollingUpdate").erase("maxUnavailable");
}

void prepare_kind(const Resource& r, Value& object, Instant now) {
  const std::string name = r.name();
  if (name == "services") prepare_service(object);
  if (name == "nodes") prepare_node(object);
  if (name == "pods") prepare_pod(object, now);
  if (name == "daemonsets.apps") prepare_daemon_set(object);
  if (name == "endpointslices.discovery.k8s.io") drop_old_topology(object);
  if (name == "jobs.batch") prepare_job(object);
  if (name == "namespaces") prepare_namespace(object);
  if (name == "serviceaccounts") prepare_service_account(object);
  if (name == "persistentvolumeclaims") {
    prepare_claim(object, Value());
    object.edit("status").set("phase", "Pending");
  }
  if (name == "persistentvolumes")
    object.set("status",
               Value::object({{"phase", "Pending"}, {"lastPhaseTransitionTime", to_rfc3339(now)}}));
  if (name == "apiservices.apiregistration.k8s.io" && object["spec"]["service"].is_null())
    object.edit("status").set(
        "conditions",
        Value::array({Value::object({{"type", "Available"},
                                     {"status", "True"},
                                     {"lastTransitionTime", to_rfc3339(now)},
                                     {"reason", "Local"},
                                     {"message", "Local APIServices are always available"}})}));
  if (name == "customresourcedefinitions.apiextensions.k8s.io")
    for (const Value& version : object["spec"]["versions"].elements())
      if (version["storage"].as_bool()) {
        object.edit("status").set("storedVersions", Value::array({version["name"]}));
        break;
      }
}

// Kinds whose generation is set once and then stays.
bool keeps_generation(const Resource& r) {
  return r.name() == "priorityclasses.scheduling.k8s.io";
}

bool same(const Value& a, const Value& b) {
  return a.same_node(b) || a == b;
}

// What a change of raises the generation: everything but metadata and status.
bool content_changed(const Resource& r, const Value& object, const Value& old) {
  if (r.name() == "endpointslices.discovery.k8s.io" &&
      !same(object["metadata"]["labels"], old["metadata"]["labels"]))
    return true;
  if (r.name() == "deployments.apps" &&
      !same(object["metadata"]["annotations"], old["metadata"]["annotations"]))
    return true;
  for (const Value* side : {&object, &old})
    for (const codec::Member& m : side->members()) {
      const std::string_view key = m.key();
      if (key == "metadata" || key == "kind" || key == "apiVersion") continue;
      if (key == "status" && has_status(r)) continue;
      if (!same(object[key], old[key])) return true;
    }
  return false;
}

// The storage version of a definition is among those that objects may be stored in.
void add_stored_version(Value& object) {
  for (const Value& version : object["spec"]["versions"].elements()) {
    if (!version["storage"].as_bool()) continue;
    const Value name = version["name"];
    const auto& stored = object["status"]["storedVersions"].elements();
    if (std::find(stored.begin(), stored.end(), name) == stored.end())
      object.edit("status").edit("storedVersions").push_back(name);
  }
}

void keep_system_metadata(Value& object, const Value& old) {
  const Value& before = old["metadata"];
  Value& metadata = object.edit("metadata");
  if (metadata["uid"].as_string().empty()) metadata.set("uid", before["uid"]);
  for (const char* key : {"creationTimestamp", "deletionTimestamp"})
    if (!before[key].is_null()) metadata.set(key, before[key]);
  if (metadata["deletionGracePeriodSeconds"].is_null() &&
      !before["deletionGracePeriodSeconds"].is_null())
    metadata.set("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"]);
  if (before["generation"].is_null())
    metadata.erase("generation");
  else
    metadata.set("generation", before["generation"]);
}

// Owners that stand twice in the list count once.
void drop_repeated_owners(Value& object) {
  const Value owners = object["metadata"]["ownerReferences"];
  Value kept = Value::array();
  for (const Value& owner : owners.elements()) {
    const auto& all = kept.elements();
    if (std::find(all.begin(), all.end(), owner) == all.end()) kept.push_back(owner);
  }
  if (kept.size() < owners.size()) object.edit("metadata").set("ownerReferences", kept);
}

}  // namespace

void prepare_create(const Resource& resource, Value& object, Instant now) {
  drop_repeated_owners(object);
  for (const char* key : {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"})
    if (object["metadata"].has(key)) object.edit("metadata").erase(key);
  if (has_generation(resource)) object.edit("metadata").set("generation", 1);
  // A node reports its own status as it registers, and so do endpoints of older controllers.
  if (has_status(resource) && resource.name() != "nodes" && !resource.custom)
    clear_status(resource, object);
  if (resource.custom && has_status(resource)) object.erase("status");
  if (!resource.namespaced && object["metadata"].is_object())
    object.edit("metadata").erase("namespace");
  drop_disabled(resource, object);
  prepare_kind(resource, object, now);
}

void prepare_update(const Resource& resource, Value& object, const Value& old) {
  keep_system_metadata(object, old);
  drop_repeated_owners(object);
  if (has_status(resource)) {
    if (old["status"].is_null())
      object.erase("status");
    else
      object.set("status", old["status"]);
  }
  if (!resource.namespaced) object.edit("metadata").erase("namespace");
  drop_disabled(resource, object);
  if (resource.name() == "serviceaccounts") prepare_service_account(object);
  if (resource.name() == "services") prepare_service_update(object, old);
  if (resource.name() == "persistentvolumeclaims") prepare_claim(object, old);
  if (resource.name() == "namespaces") object.set("spec", old["spec"]);
  if (resource.name() == "nodes") prepare_node(object);
  if (resource.name() == "daemonsets.apps") prepare_daemon_set_update(object, old);
  if (resource.name() == "certificatesigningrequests.certificates.k8s.io")
    object.set("spec", old["spec"]);
  if (resource.name() == "customresourcedefinitions.apiextensions.k8s.io")
    add_stored_version(object);
  if (has_generation(resource) && !keeps_generation(resource) &&
      content_changed(resource, object, old))
    object.edit("metadata").set("generation", old["metadata"]["generation"].as_int() + 1);
}

void prepare_status_update(const Resource& resource, Value& object, const Value& old) {
  const Value status = object["status"];
  const Value metadata = object["metadata"];
  Value kept = old;
  kept.set("metadata", metadata);
  keep_system_metadata(kept, old);
  if (status.is_null())
    kept.erase("status");
  else
    kept.set("status", status);
  (void)resource;
  object = std::move(kept);
}

}  // namespace keelson::model
