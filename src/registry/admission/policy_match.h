// Whether a request is one that matchConstraints (or a binding's matchResources) speak of. Source:
// apiserver pkg/admission/plugin/policy/matching.
#pragma once

#include "registry/admission/admission.h"

namespace keelson::registry {

struct PolicyMatch {
  bool matches = false;
  // The version of the resource that the rules name; the request's own where they name none.
  model::ResourcePointer version;
};
// `constraints` may be null: everything matches. An Error where a selector is malformed.
Result<PolicyMatch> match_policy(Admission& admission, const Value& constraints);

// Requests that no policy is asked about: reviews, and the policies and webhooks themselves.
bool is_exempt_from_policies(const Admission& admission);

// The admission's object or old object in another version of its resource; null stays null.
Result<Value> in_version(Admission& admission, const model::Resource& version, const Value& object);

// What messages call the request's object; "Unknown" where it has no name.
std::string policy_object_name(Admission& admission);

}  // namespace keelson::registry
