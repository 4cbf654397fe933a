// The arithmetic of requests and limits; see pod_resources.h.
#include "model/pod_resources.h"

#include <algorithm>

#include "model/meta.h"

namespace keelson::model {

using codec::Value;

namespace {

template <typename Entries>
auto position(Entries& entries, std::string_view name) {
  return std::lower_bound(entries.begin(), entries.end(), name,
                          [](const auto& entry, std::string_view n) { return entry.first < n; });
}

bool is_pod_level_resource(std::string_view name) {
  return name == "cpu" || name == "memory" || name.starts_with("hugepages-");
}

bool resize_is_infeasible(const Value& pod) {
  for (const Value& condition : pod["status"]["conditions"].elements())
    if (condition["type"].as_string() == "PodResizePending")
      return condition["reason"].as_string() == "Infeasible";
  return false;
}

// While a pod is resized, the greatest of what is wanted, granted and in force counts.
ResourceList effective(const Value& pod, const Value& wanted, const Value& actual,
                       const Value& allocated) {
  ResourceList list;
  if (!resize_is_infeasible(pod)) list = ResourceList(wanted);
  list.raise_to(ResourceList(actual));
  list.raise_to(ResourceList(allocated));
  return list;
}

const Value& status_of_container(const Value& pod, std::string_view name) {
  static const Value none;
  for (const char* key : {"initContainerStatuses", "containerStatuses"})
    for (const Value& status : pod["status"][key].elements())
      if (status["name"].as_string() == name) return status;
  return none;
}

// `part` is "requests" or "limits".
ResourceList container_amounts(const Value& pod, const Value& container, std::string_view part,
                               bool use_status, const RequestOptions& options) {
  const Value& wanted = container["resources"][part];
  ResourceList list;
  const Value status =
      use_status ? status_of_container(pod, container["name"].as_string()) : Value();
  if (status["resources"].is_object())
    list = effective(pod, wanted, status["resources"][part],
                     part == "requests" ? status["allocatedResources"] : Value());
  else
    list = ResourceList(wanted);
  if (part != "requests") return list;
  if (options.default_cpu && !list.find("cpu")) list.set("cpu", Quantity::milli(kDefaultMilliCpu));
  if (options.default_memory && !list.find("memory"))
    list.set("memory", Quantity::units(kDefaultMemory));
  return list;
}

ResourceList sum_of_containers(const Value& pod, std::string_view part,
                               const RequestOptions& options) {
  const Value& spec = pod["spec"];
  ResourceList sum;
  for (const Value& container : spec["containers"].elements())
    sum.add(container_amounts(pod, container, part, options.use_status, options));
  ResourceList sidecars, initialisation;
  for (const Value& container : spec["initContainers"].elements()) {
    const bool sidecar = is_sidecar(container);
    ResourceList step =
        container_amounts(pod, container, part, options.use_status && sidecar, options);
    if (sidecar) {
      sum.add(step);
      sidecars.add(step);
      step = sidecars;
    } else {
      step.add(sidecars);
    }
    initialisation.raise_to(step);
  }
  sum.raise_to(initialisation);
  return sum;
}

}  // namespace

ResourceList::ResourceList(const Value& map) {
  entries_.reserve(map.size());
  for (const codec::Member& member : map.members())
    entries_.emplace_back(std::string(member.key()), Quantity::of(member.value));
}

const Quantity* ResourceList::find(std::string_view name) const {
  const auto it = position(entries_, name);
  return it != entries_.end() && it->first == name ? &it->second : nullptr;
}

void ResourceList::set(std::string_view name, const Quantity& amount) {
  const auto it = position(entries_, name);
  if (it != entries_.end() && it->first == name)
    it->second = amount;
  else
    entries_.emplace(it, std::string(name), amount);
}

void ResourceList::add(const ResourceList& other) {
  for (const auto& [name, amount] : other.entries_) {
    const Quantity* own = find(name);
    set(name, own ? *own + amount : amount);
  }
}

void ResourceList::raise_to(const ResourceList& other) {
  for (const auto& [name, amount] : other.entries_) {
    const Quantity* own = find(name);
    if (!own || *own < amount) set(name, amount);
  }
}

Value ResourceList::to_value() const {
  Value map = Value::object();
  for (const auto& [name, amount] : entries_) map.set(name, amount.text());
  return map;
}

bool names_extended_resource(std::string_view name) {
  return name.find('/') != std::string_view::npos &&
         name.find("kubernetes.io/") == std::string_view::npos && !name.starts_with("requests.");
}

bool has_pod_level_requests(const Value& pod) {
  for (const codec::Member& member : pod["spec"]["resources"]["requests"].members())
    if (is_pod_level_resource(member.key())) return true;
  return false;
}

ResourceList pod_requests(const Value& pod, const RequestOptions& options) {
  const Value& spec = pod["spec"];
  ResourceList sum = sum_of_containers(pod, "requests", options);
  if (!options.skip_pod_level && has_pod_level_requests(pod)) {
    const Value& wanted = spec["resources"]["requests"];
    const Value& status = pod["status"];
    const bool resized = options.use_status && status["resources"].is_object();
    const ResourceList in_force = resized ? effective(pod, wanted, status["resources"]["requests"],
                                                      status["allocatedResources"])
                                          : ResourceList(wanted);
    for (const auto& [name, amount] : in_force.entries())
      if (is_pod_level_resource(name) && wanted.has(name)) sum.set(name, amount);
  }
  sum.add(ResourceList(spec["overhead"]));
  return sum;
}

ResourceList pod_limits(const Value& pod, const RequestOptions& options) {
  const Value& spec = pod["spec"];
  ResourceList sum = sum_of_containers(pod, "limits", options);
  if (!options.skip_pod_level)
    for (const codec::Member& own : spec["resources"]["limits"].members())
      if (is_pod_level_resource(own.key())) sum.set(own.key(), Quantity::of(own.value));
  for (const codec::Member& own : spec["overhead"].members())
    if (sum.find(own.key()) != nullptr)
      sum.add(ResourceList(Value::object({{own.key(), own.value}})));
  return sum;
}

}  // namespace keelson::model
