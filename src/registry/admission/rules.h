// Which requests the rules and selectors of webhooks and policies speak of, and in which version of
// the resource: one reading for both. Source: apiserver pkg/admission/plugin/webhook/generic,
// webhook/predicates and policy/matching.
#pragma once

#include <optional>
#include <string_view>

#include "registry/admission/admission.h"

namespace keelson::registry {

// "CREATE", "UPDATE", "DELETE", "CONNECT".
std::string_view operation_name(const Admission& admission);

// The namespace of the request as admission counts it: that of a namespace is its own name; empty
// for what has none.
std::string namespace_of(Admission& admission);

// The version of the resource that one of the rules names: the one asked for if any rule does,
// else, where equivalent versions count, the first that a rule names. Null: none.
model::ResourcePointer named_version(Admission& admission, const Value& rules, bool equivalent);

// Whether the request's namespace has the labels. What is in no namespace always fits. Error: the
// selector is malformed, or the namespace is not there (not_found).
Result<bool> namespace_fits(Admission& admission, const Value& selector);
// Whether the object or the old object has the labels.
Result<bool> object_fits(Admission& admission, const Value& selector);

}  // namespace keelson::registry
