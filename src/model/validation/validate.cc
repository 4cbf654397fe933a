// Finds a kind's rules and runs them in the order of the original's generic registry.
#include <map>
#include <string>

#include "model/scheme.h"
#include "model/validation/rules.h"

namespace keelson::model {
namespace {

using codec::Value;

const std::map<std::string, KindRules, std::less<>>& all_rules() {
  static const auto all = [] {
    std::map<std::string, KindRules, std::less<>> map;
    for (const auto& list : {core_rules(), pod_rules(), workload_rules(), batch_rules(),
                             network_rules(), storage_rules(), policy_rules(), other_rules()})
      for (const KindRules& rules : list) map.emplace(std::string(rules.resource), rules);
    return map;
  }();
  return all;
}

const KindRules& rules_of(const Resource& resource) {
  static const KindRules plain;
  const auto found = all_rules().find(resource.stored_as);
  return found == all_rules().end() ? plain : found->second;
}

}  // namespace

FieldErrors validate_create(const Resource& resource, const Value& object) {
  FieldErrors errors;
  const KindRules& rules = rules_of(resource);
  const Path metadata("metadata");
  check_metadata(object["metadata"], resource.namespaced, rules.name, metadata, errors);
  if (rules.create != nullptr) rules.create(object, errors);
  if (errors.empty())
    check_metadata(object["metadata"], resource.namespaced, path_segment_name, metadata, errors);
  return errors;
}

FieldErrors validate_update(const Resource& resource, const Value& object, const Value& old) {
  FieldErrors errors;
  const KindRules& rules = rules_of(resource);
  const Path metadata("metadata");
  check_metadata(object["metadata"], resource.namespaced, path_segment_name, metadata, errors);
  check_metadata_update(object["metadata"], old["metadata"], metadata, errors);
  if (rules.recheck == Recheck::custom) {
    rules.update(object, old, errors);
    return errors;
  }
  check_metadata_update(object["metadata"], old["metadata"], metadata, errors);
  if (rules.recheck == Recheck::all)
    check_metadata(object["metadata"], resource.namespaced, rules.name, metadata, errors);
  if (rules.recheck != Recheck::none && rules.create != nullptr) rules.create(object, errors);
  if (rules.update != nullptr) rules.update(object, old, errors);
  return errors;
}

FieldErrors validate_status_update(const Resource& resource, const Value& object,
                                   const Value& old) {
  FieldErrors errors;
  const KindRules& rules = rules_of(resource);
  const Path metadata("metadata");
  check_metadata(object["metadata"], resource.namespaced, path_segment_name, metadata, errors);
  check_metadata_update(object["metadata"], old["metadata"], metadata, errors);
  if (rules.status != nullptr) rules.status(object, old, errors);
  return errors;
}

}  // namespace keelson::model
