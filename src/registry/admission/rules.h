// Rules of webhooks and of admission policies: what both say of operations and resources alike.
// Their scopes differ: see review.cc and policy_match.cc.
#pragma once

#include <string_view>

#include "registry/admission/admission.h"

namespace keelson::registry {

// "CREATE", "UPDATE", "DELETE", "CONNECT".
std::string_view operation_name(const Admission& admission);
// Whether the rule names the operation, and this version of the resource with the subresource; "*"
// stands for all. Nothing is said of its scope.
bool rule_names(const Admission& admission, const Value& rule, const model::Resource& version);

}  // namespace keelson::registry
