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
    for (const auto& list :
         {core_rules(), pod_rules(), workload_rules(), batch_rules(), network_rules(),
          storage_rules(), storage_class_rules(), device_slice_rules(), policy_rules(),
          flow_rules(), device_rules(), admission_rules(), custom_rules(), registration_rules(),
          certificate_rules()})
      for (const KindRules& rules : list) map.emplace(std::string(rules.resource), rules);
    return map;
  }();
  return all;
}

const KindRules& rules_of(const Resource& resource) {
  static const KindRules plain;
  for (const std::string& name : {resource.name(), resource.stored_as})
    if (const auto found = all_rules().find(name); found != all_rules().end()) return found->second;
  return plain;
}

}  // namespace

FieldErrors validate_create(const Resource& resource, const Value& object) {
  FieldErrors errors;
  const KindRules& rules = rules_of(resource);
  const Path metadata("metadata");
  const auto check_kind = rules.any_finalizer ? check_metadata : check_kind_metadata;
  if (rules.recheck != Recheck::custom || !rules.own_metadata)
    check_kind(object["metadata"], resource.namespaced, rules.name, metadata, errors);
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
  const auto check_kind = rules.any_finalizer ? check_metadata : check_kind_metadata;
  const auto check_kind_update =
      rules.any_finalizer ? check_metadata_update : check_kind_metadata_update;
  const auto recheck = [&](bool with_metadata) {
    if (with_metadata)
      check_kind(object["metadata"], resource.namespaced, rules.name, metadata, errors);
    if (rules.create != nullptr && rules.recheck != Recheck::metadata) rules.create(object, errors);
  };
  const bool rechecks_first = rules.recheck == Recheck::before ||
                              rules.recheck == Recheck::creation ||
                              rules.recheck == Recheck::metadata;
  if (rechecks_first) recheck(true);
  if (rules.recheck != Recheck::custom && rules.recheck != Recheck::creation)
    check_kind_update(object["metadata"], old["metadata"], metadata, errors);
  if (rules.recheck == Recheck::rules || rules.recheck == Recheck::all)
    recheck(rules.recheck == Recheck::all);
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

FieldErrors validate_part_update(const Resource& resource, std::string_view subresource,
                                 const Value& object, const Value& old) {
  FieldErrors errors;
  const KindRules& rules = rules_of(resource);
  if (rules.part == nullptr) return errors;
  const Path metadata("metadata");
  check_metadata(object["metadata"], resource.namespaced, path_segment_name, metadata, errors);
  check_metadata_update(object["metadata"], old["metadata"], metadata, errors);
  rules.part(subresource, object, old, errors);
  return errors;
}

}  // namespace keelson::model
