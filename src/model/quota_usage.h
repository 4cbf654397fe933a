// What objects count for under ResourceQuotas, and which quotas they count under. Admission and the
// quota controller must agree on it to the last unit.
// Behaviour: pkg/quota/v1/evaluator/core of Kubernetes 1.36.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "codec/value.h"
#include "model/quantity.h"

namespace keelson::model {

using QuotaUsage = std::map<std::string, Quantity, std::less<>>;

// What one object counts for, by the names that quotas use; `resource` as in "deployments.apps".
// Nothing for null.
QuotaUsage quota_usage(std::string_view resource, const codec::Value& object, Instant now);

// Whether the object is in all scopes of the quota. Outside of pods (and a claim's class) nothing
// is in any scope.
bool quota_matches(const codec::Value& quota, std::string_view resource,
                   const codec::Value& object);

// The names among a quota's limits (a map) that objects of this resource use.
std::vector<std::string> quota_names(const codec::Value& hard, std::string_view resource);

// Pods that ended, or should have by now, use nothing but their place in count/pods.
bool quota_counts_pod(const codec::Value& pod, Instant now);

}  // namespace keelson::model
