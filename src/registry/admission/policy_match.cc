#include "registry/admission/policy_match.h"

#include <algorithm>

#include "model/meta.h"
#include "model/selector.h"
#include "registry/webhooks/review.h"

namespace keelson::registry {

namespace {

std::string_view operation_name(const Admission& admission) {
  switch (admission.operation()) {
    case Admission::Operation::create: return "CREATE";
    case Admission::Operation::update: return "UPDATE";
    case Admission::Operation::remove: return "DELETE";
    case Admission::Operation::connect: return "CONNECT";
  }
  return "";
}

bool has(const Value& list, std::string_view wanted) {
  return std::any_of(list.elements().begin(), list.elements().end(), [&](const Value& one) {
    return one.as_string() == "*" || one.as_string() == wanted;
  });
}

bool has_resource(const Value& list, std::string_view plural, std::string_view subresource) {
  return std::any_of(list.elements().begin(), list.elements().end(), [&](const Value& one) {
    const std::string_view text = one.as_string();
    const std::size_t slash = text.find('/');
    const std::string_view resource = text.substr(0, slash);
    const std::string_view sub =
        slash == std::string_view::npos ? std::string_view{} : text.substr(slash + 1);
    return (resource == "*" || resource == plural) && (sub == "*" || sub == subresource);
  });
}

bool rule_fits(const Admission& admission, const Value& rule, const model::Resource& version) {
  const Value& names = rule["resourceNames"];
  const std::string_view scope = rule["scope"].as_string("*");
  // A namespace counts as having no namespace, although it stands in one.
  const bool namespaced = version.namespaced;
  return has(rule["operations"], operation_name(admission)) &&
         has(rule["apiGroups"], version.group) && has(rule["apiVersions"], version.version) &&
         has_resource(rule["resources"], version.plural, admission.subresource()) &&
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
