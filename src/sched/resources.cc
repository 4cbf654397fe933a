// The arithmetic of requests: containers add up, ordinary init containers run one after the other
// beside the sidecars started before them.
#include "sched/resources.h"

#include <algorithm>

namespace keelson::sched {
namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

template <typename Entries>
auto position(Entries& entries, std::string_view name) {
  return std::lower_bound(entries.begin(), entries.end(), name,
                          [](const auto& entry, std::string_view n) { return entry.first < n; });
}

bool is_pod_level_resource(std::string_view name) {
  return name == "cpu" || name == "memory" || starts_with(name, "hugepages-");
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

ResourceList container_requests(const Value& pod, const Value& container, bool use_status,
                                const RequestOptions& options) {
  const Value& wanted = container["resources"]["requests"];
  ResourceList list;
  const Value status =
      use_status ? status_of_container(pod, container["name"].as_string()) : Value();
  if (status["resources"].is_object())
    list = effective(pod, wanted, status["resources"]["requests"], status["allocatedResources"]);
  else
    list = ResourceList(wanted);
  if (options.default_cpu && !list.find("cpu")) list.set("cpu", Quantity::milli(kDefaultMilliCpu));
  if (options.default_memory && !list.find("memory"))
    list.set("memory", Quantity::units(kDefaultMemory));
  return list;
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

Resources Resources::of(const ResourceList& list) {
  Resources result;
  for (const auto& [name, amount] : list.entries()) {
    if (name == "cpu")
      result.milli_cpu = amount.milli_value();
    else if (name == "memory")
      result.memory = amount.value();
    else if (name == "ephemeral-storage")
      result.ephemeral_storage = amount.value();
    else if (name == "pods")
      result.pods = amount.value();
    else if (is_scalar_resource(name))
      result.scalars.emplace_back(name, amount.value());
  }
  return result;
}

std::int64_t Resources::scalar(std::string_view name) const {
  const auto it = position(scalars, name);
  return it != scalars.end() && it->first == name ? it->second : 0;
}

std::int64_t Resources::amount(std::string_view name) const {
  if (name == "cpu") return milli_cpu;
  if (name == "memory") return memory;
  if (name == "ephemeral-storage") return ephemeral_storage;
  if (name == "pods") return pods;
  return scalar(name);
}

void Resources::add(const Resources& other, std::int64_t sign) {
  milli_cpu += sign * other.milli_cpu;
  memory += sign * other.memory;
  ephemeral_storage += sign * other.ephemeral_storage;
  for (const auto& [name, amount] : other.scalars) {
    const auto it = position(scalars, name);
    if (it != scalars.end() && it->first == name)
      it->second += sign * amount;
    else
      scalars.emplace(it, name, sign * amount);
  }
}

bool is_extended_resource(std::string_view name) {
  return name.find('/') != std::string_view::npos &&
         name.find("kubernetes.io/") == std::string_view::npos && !starts_with(name, "requests.");
}

bool is_scalar_resource(std::string_view name) {
  return is_extended_resource(name) || starts_with(name, "hugepages-") ||
         name.find("kubernetes.io/") != std::string_view::npos ||
         starts_with(name, "attachable-volumes-");
}

bool has_pod_level_requests(const Value& pod) {
  for (const codec::Member& member : pod["spec"]["resources"]["requests"].members())
    if (is_pod_level_resource(member.key())) return true;
  return false;
}

ResourceList pod_requests(const Value& pod, const RequestOptions& options) {
  const Value& spec = pod["spec"];
  ResourceList sum;
  for (const Value& container : spec["containers"].elements())
    sum.add(container_requests(pod, container, options.use_status, options));
  ResourceList sidecars, initialisation;
  for (const Value& container : spec["initContainers"].elements()) {
    const bool sidecar = container["restartPolicy"].as_string() == "Always";
    ResourceList step = container_requests(pod, container, options.use_status && sidecar, options);
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

}  // namespace keelson::sched
