// What a pod asks for and is limited to as a whole: its containers add up, ordinary init containers
// run one after the other beside the sidecars started before them, pod-level amounts replace the
// sum, overhead comes on top. Sums are exact: rounding each container by itself would differ.
// Behaviour: component-helpers/resource of Kubernetes 1.36.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/value.h"
#include "model/quantity.h"

namespace keelson::model {

// A container without a request counts this much where "non-zero" requests are meant.
inline constexpr std::int64_t kDefaultMilliCpu = 100;
inline constexpr std::int64_t kDefaultMemory = 200LL * 1024 * 1024;

// Exact amounts by resource name, sorted by name.
class ResourceList {
 public:
  ResourceList() = default;
  explicit ResourceList(const codec::Value& map);
  const Quantity* find(std::string_view name) const;
  void set(std::string_view name, const Quantity& amount);
  void add(const ResourceList& other);
  void raise_to(const ResourceList& other);  // per name the greater of both
  bool empty() const { return entries_.empty(); }
  const std::vector<std::pair<std::string, Quantity>>& entries() const { return entries_; }
  codec::Value to_value() const;  // a map of quantities as text

 private:
  std::vector<std::pair<std::string, Quantity>> entries_;
};

struct RequestOptions {
  bool use_status = false;      // of a running pod: what resizing has left in its status counts
  bool skip_pod_level = false;  // leave spec.resources out
  bool default_cpu = false;     // containers without a cpu request count kDefaultMilliCpu
  bool default_memory = false;  // likewise kDefaultMemory
};
ResourceList pod_requests(const codec::Value& pod, const RequestOptions& options = {});
// Overhead counts only for what is limited at all.
ResourceList pod_limits(const codec::Value& pod, const RequestOptions& options = {});

bool has_pod_level_requests(const codec::Value& pod);
// "example.com/gpu": not native, not a quota name. Of names that were validated; asks nothing more
// of them.
bool names_extended_resource(std::string_view name);

}  // namespace keelson::model
