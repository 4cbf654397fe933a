// What pods ask for and nodes offer, in the units the scheduler computes with. Sums are made of
// exact quantities and rounded once, as component-helpers/resource of Kubernetes does; rounding
// each container by itself would differ by a millicore.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/value.h"
#include "model/quantity.h"

namespace keelson::sched {

using codec::Value;
using model::Quantity;

// A container without a request counts this much where "non-zero" requests are meant.
inline constexpr std::int64_t kDefaultMilliCpu = 100;
inline constexpr std::int64_t kDefaultMemory = 200LL * 1024 * 1024;

// Exact amounts by resource name, sorted by name.
class ResourceList {
 public:
  ResourceList() = default;
  explicit ResourceList(const Value& map);
  const Quantity* find(std::string_view name) const;
  void set(std::string_view name, const Quantity& amount);
  void add(const ResourceList& other);
  void raise_to(const ResourceList& other);  // per name the greater of both
  bool empty() const { return entries_.empty(); }
  const std::vector<std::pair<std::string, Quantity>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, Quantity>> entries_;
};

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

// Whether the scheduler counts this resource beside cpu, memory, ephemeral-storage and pods.
bool is_scalar_resource(std::string_view name);
// "example.com/gpu": not native, not a quota name.
bool is_extended_resource(std::string_view name);

struct RequestOptions {
  bool use_status = false;      // of a running pod: what resizing has left in its status counts
  bool skip_pod_level = false;  // leave spec.resources out
  bool default_cpu = false;     // containers without a cpu request count kDefaultMilliCpu
  bool default_memory = false;  // likewise kDefaultMemory
};
// The sum of the containers, or the greatest initialisation step if that is more, replaced by
// pod-level requests where there are any, plus overhead.
ResourceList pod_requests(const Value& pod, const RequestOptions& options);
bool has_pod_level_requests(const Value& pod);

}  // namespace keelson::sched
