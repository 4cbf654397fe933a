#include "registry/admission/rules.h"

#include <algorithm>

#include "model/meta.h"
#include "model/selector.h"

namespace keelson::registry {

namespace {

bool lists(const Value& list, std::string_view wanted) {
  const auto& all = list.elements();
  return std::any_of(all.begin(), all.end(), [&](const Value& one) {
    return one.as_string() == "*" || one.as_string() == wanted;
  });
}

bool lists_resource(const Value& list, std::string_view plural, std::string_view subresource) {
  const auto& all = list.elements();
  return std::any_of(all.begin(), all.end(), [&](const Value& one) {
    const std::string_view text = one.as_string();
    const std::size_t slash = text.find('/');
    const std::string_view name = text.substr(0, slash);
    const std::string_view sub =
        slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
    return (name == "*" || name == plural) && (sub == "*" || sub == subresource);
  });
}

bool is_namespace(const model::Resource& resource) {
  return resource.group.empty() && resource.plural == "namespaces";
}

// A namespace counts as having no namespace, although it stands in one.
bool scope_fits(Admission& admission, std::string_view scope, const model::Resource& version) {
  const bool cluster = is_namespace(version) || namespace_of(admission).empty();
  return scope.empty() || scope == "*" || (scope == "Cluster") == cluster;
}

bool rule_fits(Admission& admission, const Value& rule, const model::Resource& version) {
  const Value& names = rule["resourceNames"];
  return scope_fits(admission, rule["scope"].as_string(), version) &&
         lists(rule["operations"], operation_name(admission)) &&
         lists(rule["apiGroups"], version.group) && lists(rule["apiVersions"], version.version) &&
         lists_resource(rule["resources"], version.plural, admission.subresource()) &&
         (names.empty() ||
          std::any_of(names.elements().begin(), names.elements().end(),
                      [&](const Value& name) { return name.as_string() == admission.name(); }));
}

}  // namespace

std::string_view operation_name(const Admission& admission) {
  switch (admission.operation()) {
    case Admission::Operation::create: return "CREATE";
    case Admission::Operation::update: return "UPDATE";
    case Admission::Operation::remove: return "DELETE";
    case Admission::Operation::connect: return "CONNECT";
  }
  return "";
}

std::string namespace_of(Admission& admission) {
  if (is_namespace(*admission.call().resource)) return admission.name();
  return admission.call().storage->namespaced ? admission.namespace_name() : "";
}

model::ResourcePointer named_version(Admission& admission, const Value& rules, bool equivalent) {
  const model::ResourcePointer& asked = admission.call().resource;
  for (const Value& rule : rules.elements())
    if (rule_fits(admission, rule, *asked)) return asked;
  if (!equivalent) return nullptr;
  const auto versions = admission.state().types.versions(admission.call().storage->name());
  for (const Value& rule : rules.elements())
    for (const model::ResourcePointer& other : versions)
      if (rule_fits(admission, rule, *other)) return other;
  return nullptr;
}

Result<bool> namespace_fits(Admission& admission, const Value& selector_value) {
  const std::string name = namespace_of(admission);
  const bool own = is_namespace(*admission.call().resource);
  // Nothing of the whole cluster but namespaces themselves is exempted by labels.
  if ((name.empty() && !own) || selector_value.is_null()) return true;
  TRY(const model::LabelSelector selector, model::LabelSelector::of(selector_value));
  if (selector.matches_everything()) return true;
  // The store does not know yet what is being written.
  if (own && admission.subresource().empty() && (admission.creating() || admission.updating()))
    return selector.matches(model::labels_of(admission.object()));
  const Value& found = admission.state().object("namespaces", "", name);
  if (found.is_null()) return not_found({"", "namespaces"}, name);
  return selector.matches(model::labels_of(found));
}

Result<bool> object_fits(Admission& admission, const Value& selector_value) {
  if (selector_value.is_null()) return true;
  TRY(const model::LabelSelector selector, model::LabelSelector::of(selector_value));
  if (selector.matches_everything()) return true;
  const auto fits = [&](const Value& object) {
    return !object.is_null() && selector.matches(model::labels_of(object));
  };
  return fits(admission.object()) || fits(admission.old());
}

}  // namespace keelson::registry
