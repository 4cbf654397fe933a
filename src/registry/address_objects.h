// IPAddress objects: each cluster address of a Service is visible as one, written and removed in
// the transaction that writes the Service, so that the two never disagree. What somebody deletes of
// them comes back. Source: Kubernetes' pkg/registry/core/service/ipallocator (ipallocator.go) and
// controller/repairip.go, which finds such faults later.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "registry/state.h"

namespace keelson::registry {

constexpr std::string_view kIpAddresses = "ipaddresses.networking.k8s.io";

// What a change of the Service's addresses writes and removes. The writes are for the next
// revision.
struct AddressChange {
  std::vector<store::Put> puts;
  std::vector<std::string> deletes;
  std::vector<std::pair<Value, Value>> changes;  // before and after of each, to be observed
};
AddressChange address_change(Registry::State& state, const Value& before, const Value& after);

// Brings the objects in line with the Services: on a store that was written without them, or after
// somebody removed one.
Result<void> repair_addresses(Registry::State& state);

}  // namespace keelson::registry
