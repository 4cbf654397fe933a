#include "registry/admission/rules.h"

#include <algorithm>

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

bool rule_names(const Admission& admission, const Value& rule, const model::Resource& version) {
  return lists(rule["operations"], operation_name(admission)) &&
         lists(rule["apiGroups"], version.group) && lists(rule["apiVersions"], version.version) &&
         lists_resource(rule["resources"], version.plural, admission.subresource());
}

}  // namespace keelson::registry
