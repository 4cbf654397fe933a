#include "registry/admission/policy_match.h"

#include <algorithm>

#include "registry/admission/rules.h"
#include "registry/webhooks/review.h"

namespace keelson::registry {

Result<PolicyMatch> match_policy(Admission& admission, const Value& constraints) {
  PolicyMatch match;
  match.version = admission.call().resource;
  match.matches = true;
  if (constraints.is_null()) return match;
  // A selector that cannot be told about counts only where the rules speak of the request.
  const auto in_namespace = namespace_fits(admission, constraints["namespaceSelector"]);
  const auto of_object = object_fits(admission, constraints["objectSelector"]);
  match.matches = !(in_namespace.ok() && !*in_namespace) && !(of_object.ok() && !*of_object);
  if (!match.matches) return match;
  const bool equivalent = constraints["matchPolicy"].as_string("Equivalent") == "Equivalent";
  match.matches = !named_version(admission, constraints["excludeResourceRules"], equivalent);
  const Value& rules = constraints["resourceRules"];
  if (match.matches && !rules.empty()) {
    match.version = named_version(admission, rules, equivalent);
    match.matches = match.version != nullptr;
  }
  if (!match.matches) return match;
  if (!in_namespace.ok()) return in_namespace.error();
  if (!of_object.ok()) return of_object.error();
  return match;
}

bool is_exempt_from_policies(const Admission& admission) {
  static constexpr std::string_view kExempt[] = {
      "validatingadmissionpolicies.admissionregistration.k8s.io",
      "validatingadmissionpolicybindings.admissionregistration.k8s.io",
      "mutatingadmissionpolicies.admissionregistration.k8s.io",
      "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
      "validatingwebhookconfigurations.admissionregistration.k8s.io",
      "mutatingwebhookconfigurations.admissionregistration.k8s.io",
      "tokenreviews.authentication.k8s.io",
      "selfsubjectreviews.authentication.k8s.io",
      "localsubjectaccessreviews.authorization.k8s.io",
      "selfsubjectaccessreviews.authorization.k8s.io",
      "selfsubjectrulesreviews.authorization.k8s.io",
      "subjectaccessreviews.authorization.k8s.io",
  };
  return std::find(std::begin(kExempt), std::end(kExempt), admission.resource()) !=
             std::end(kExempt) ||
         admission.identity().user == "system:apiserver";
}

Result<Value> in_version(Admission& admission, const model::Resource& version,
                         const Value& object) {
  return webhooks::object_in(admission, version, object);
}

std::string policy_object_name(Admission& admission) {
  const bool collection = admission.call().request.verb == Verb::remove_collection;
  const std::string name = collection ? std::string() : admission.name();
  return name.empty() ? "Unknown" : name;
}

}  // namespace keelson::registry
