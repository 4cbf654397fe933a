// What pods ask for and nodes offer, in the units the scheduler computes with: sums of exact
// quantities (model/pod_resources.h), rounded once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/value.h"
#include "model/pod_resources.h"
#include "model/quantity.h"

namespace keelson::sched {

using codec::Value;
using model::Quantity;

using model::has_pod_level_requests;
using model::kDefaultMemory;
using model::kDefaultMilliCpu;
using model::pod_requests;
using model::RequestOptions;
using model::ResourceList;

// Rounded amounts: cpu in millicores, the others in units (bytes, pieces).
struct Resources {
  std::int64_t milli_cpu = 0, memory = 0, ephemeral_storage = 0, pods = 0;
  // Extended resources, huge pages and attachable volumes, sorted by name.
  std::vector<std::pair<std::string, std::int64_t>> scalars = {};

  static Resources of(const ResourceList& list);
  std::int64_t scalar(std::string_view name) const;  // 0 if there is none
  std::int64_t amount(std::string_view name) const;  // of any resource
  void add(const Resources& other, std::int64_t sign);
  bool is_zero() const {
    return milli_cpu == 0 && memory == 0 && ephemeral_storage == 0 && scalars.empty();
  }
};

inline bool is_extended_resource(std::string_view name) {
  return model::names_extended_resource(name);
}
// Whether the scheduler counts this resource beside cpu, memory, ephemeral-storage and pods.
bool is_scalar_resource(std::string_view name);
}  // namespace keelson::sched
