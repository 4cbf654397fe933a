// Rounding, and arithmetic on what is rounded.
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

}  // namespace

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

bool is_scalar_resource(std::string_view name) {
  return is_extended_resource(name) || starts_with(name, "hugepages-") ||
         name.find("kubernetes.io/") != std::string_view::npos ||
         starts_with(name, "attachable-volumes-");
}

}  // namespace keelson::sched
