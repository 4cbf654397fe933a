// See quota_usage.h.
#include "model/quota_usage.h"

#include "model/meta.h"
#include "model/pod_resources.h"

namespace keelson::model {
namespace {

using codec::Value;

constexpr std::string_view kClassSuffix = ".storageclass.storage.k8s.io/";

void add_pod(const Value& pod, QuotaUsage& usage) {
  usage["pods"] = Quantity::units(1);
  const RequestOptions options{.use_status = true};
  const ResourceList requests = pod_requests(pod, options), limits = pod_limits(pod, options);
  for (const auto& [name, amount] : requests.entries()) {
    const bool plain = name == "cpu" || name == "memory" || name == "ephemeral-storage";
    const bool pages = name.starts_with("hugepages-");
    if (plain || pages) usage[name] = amount;
    if (plain || pages || names_extended_resource(name)) usage["requests." + name] = amount;
  }
  for (const auto& [name, amount] : limits.entries())
    if (name == "cpu" || name == "memory" || name == "ephemeral-storage")
      usage["limits." + name] = amount;
}

void add_service(const Value& service, QuotaUsage& usage) {
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

void add_claim(const Value& claim, QuotaUsage& usage) {
  usage["persistentvolumeclaims"] = Quantity::units(1);
  std::string name(annotation_of(claim, "volume.beta.kubernetes.io/storage-class"));
  if (name.empty()) name = claim["spec"]["storageClassName"].str();
  const std::string prefix = name + std::string(kClassSuffix);
  if (!name.empty()) usage[prefix + "persistentvolumeclaims"] = Quantity::units(1);
  const Value& asked = claim["spec"]["resources"]["requests"]["storage"];
  if (asked.is_null()) return;
  // While a claim grows, what was allocated to it counts if it is more.
  Quantity storage = Quantity::of(asked);
  const Quantity allocated = Quantity::of(claim["status"]["allocatedResources"]["storage"]);
  if (allocated > storage) storage = allocated;
  if (Quantity::units(storage.value()) != storage)  // whole bytes only
    storage = Quantity::units(storage.value(), storage.format());
  usage["requests.storage"] = storage;
  if (!name.empty()) usage[prefix + "requests.storage"] = storage;
}

bool is_best_effort(const Value& pod) {
  const auto says = [](const Value& resources) {
    for (const char* part : {"requests", "limits"})
      for (const char* name : {"cpu", "memory"})
        if (!Quantity::of(resources[part][name]).is_zero()) return true;
    return false;
  };
  if (says(pod["spec"]["resources"])) return false;
  for (const char* list : {"containers", "initContainers"})
    for (const Value& container : pod["spec"][list].elements())
      if (says(container["resources"])) return false;
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
bool in_scope(const Value& requirement, std::string_view resource, const Value& object) {
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
  if (scope == "BestEffort") return is_best_effort(object);
  if (scope == "NotBestEffort") return !is_best_effort(object);
  if (scope == "PriorityClass") return by_operator(object["spec"]["priorityClassName"].as_string());
  if (scope == "CrossNamespacePodAffinity") return crosses_namespaces(object);
  return false;
}

bool is_counted_by_plain_name(std::string_view resource) {
  return resource == "configmaps" || resource == "secrets" ||
         resource == "replicationcontrollers" || resource == "resourcequotas";
}

bool pods_use(std::string_view name) {
  for (std::string_view part : {"", "requests.", "limits."})
    if (name.starts_with(part)) {
      const std::string_view what = name.substr(part.size());
      if (what == "cpu" || what == "memory" || what == "ephemeral-storage") return true;
    }
  return name == "pods" || name.starts_with("hugepages-") ||
         name.starts_with("requests.hugepages-") ||
         (name.starts_with("requests.") && names_extended_resource(name.substr(9)));
}

}  // namespace

bool quota_counts_pod(const Value& pod, Instant now) {
  if (pod_is_finished(pod)) return false;
  const Value& grace = pod["metadata"]["deletionGracePeriodSeconds"];
  return !is_deleting(pod) || grace.is_null() ||
         now <= time_of(pod["metadata"]["deletionTimestamp"]) + Duration::seconds(grace.as_int());
}

QuotaUsage quota_usage(std::string_view resource, const Value& object, Instant now) {
  QuotaUsage usage;
  if (object.is_null()) return usage;
  usage["count/" + std::string(resource)] = Quantity::units(1);
  if (resource == "pods") {
    if (quota_counts_pod(object, now)) add_pod(object, usage);
  } else if (resource == "services") {
    add_service(object, usage);
  } else if (resource == "persistentvolumeclaims") {
    add_claim(object, usage);
  } else if (is_counted_by_plain_name(resource)) {
    usage[std::string(resource)] = Quantity::units(1);
  }
  return usage;
}

bool quota_matches(const Value& quota, std::string_view resource, const Value& object) {
  for (const Value& scope : quota["spec"]["scopes"].elements())
    if (!in_scope(Value::object({{"scopeName", scope}, {"operator", "Exists"}}), resource, object))
      return false;
  for (const Value& one : quota["spec"]["scopeSelector"]["matchExpressions"].elements())
    if (!in_scope(one, resource, object)) return false;
  return true;
}

std::vector<std::string> quota_names(const Value& hard, std::string_view resource) {
  std::vector<std::string> names;
  for (const codec::Member& member : hard.members()) {
    const std::string_view one = member.key();
    bool fits = one.starts_with("count/") && one.substr(6) == resource;
    if (resource == "pods") fits = fits || pods_use(one);
    if (resource == "services") fits = fits || one == "services" || one.starts_with("services.");
    if (resource == "persistentvolumeclaims")
      fits = fits || one == "persistentvolumeclaims" || one == "requests.storage" ||
             one.find(kClassSuffix) != std::string_view::npos;
    if (is_counted_by_plain_name(resource)) fits = fits || one == resource;
    if (fits) names.emplace_back(one);
  }
  return names;
}

}  // namespace keelson::model
