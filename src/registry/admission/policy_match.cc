#include "registry/admission/policy_match.h"

#include <algorithm>

#include "model/meta.h"
#include "model/selector.h"
#include "registry/admission/rules.h"
#include "registry/webhooks/review.h"

namespace keelson::registry {

namespace {

bool rule_fits(const Admission& admission, const Value& rule, const model::Resource& version) {
  const Value& names = rule["resourceNames"];
  const std::string_view scope = rule["scope"].as_string("*");
  // A namespace counts as having no namespace, although it stands in one.
  const bool namespaced = version.namespaced;
  return rule_names(admission, rule, version) &&
         (scope == "*" || (scope == "Namespaced") == namespaced) &&
         (names.empty() ||
          std::any_of(names.elements().begin(), names.elements().end(),
                      [&](const Value& name) { return name.as_string() == admission.name(); }));
}

// The version that one of the rules speaks of; null if none does.
model::ResourcePointer matched_version(Admission& admission, const Value& rules, bool equivalent) {
  const model::ResourcePointer& asked = admission.call().resource;
  for (const Value& rule : rules.elements()) {
    if (rule_fits(admission, rule, *asked)) return asked;
    if (!equivalent) continue;
    for (const model::ResourcePointer& version : admission.state().types.versions(asked->name()))
      if (rule_fits(admission, rule, *version)) return version;
  }
  return nullptr;
}

const Value& labels_of(const Value& object) {
  return object["metadata"]["labels"];
}

Result<bool> namespace_fits(Admission& admission, const Value& selector_value) {
  if (selector_value.empty()) return true;
  TRY(const model::LabelSelector selector, model::LabelSelector::of(selector_value));
  if (selector.matches_everything()) return true;
  const bool is_namespace = admission.resource() == "namespaces";
  if (is_namespace) {
    const Value& object = admission.object().is_null() ? admission.old() : admission.object();
    return selector.matches(labels_of(object));
  }
  if (admission.namespace_name().empty()) return true;
  return selector.matches(
      labels_of(admission.state().object("namespaces", "", admission.namespace_name())));
}

Result<bool> object_fits(Admission& admission, const Value& selector_value) {
  if (selector_value.empty()) return true;
  TRY(const model::LabelSelector selector, model::LabelSelector::of(selector_value));
  if (selector.matches_everything()) return true;
  const auto fits = [&](const Value& object) {
    return !object.is_null() && selector.matches(labels_of(object));
  };
  return fits(admission.object()) || fits(admission.old());
}

}  // namespace

Result<PolicyMatch> match_policy(Admission& admission, const Value& constraints) {
  PolicyMatch match;
  match.version = admission.call().resource;
  match.matches = true;
  if (constraints.is_null()) return match;
  const bool equivalent = constraints["matchPolicy"].as_string("Equivalent") == "Equivalent";
  const Value& rules = constraints["resourceRules"];
  if (!rules.empty()) {
    match.version = matched_version(admission, rules, equivalent);
    match.matches = match.version != nullptr;
  }
  if (match.matches)
    match.matches = !matched_version(admission, constraints["excludeResourceRules"], equivalent);
  if (!match.matches) return match;
  TRY(const bool in_namespace, namespace_fits(admission, constraints["namespaceSelector"]));
  TRY(const bool of_object, object_fits(admission, constraints["objectSelector"]));
  match.matches = in_namespace && of_object;
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
