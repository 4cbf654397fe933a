// Which rules belong to which kind.
#pragma once

#include <string_view>
#include <vector>

#include "codec/value.h"
#include "model/field_error.h"
#include "model/validation/common.h"

namespace keelson::model {

// What an update checks of the whole object before the update's own rules.
// `before`: metadata and rules come first, then metadata against the old object, then the update's
// own rules. `custom`: the update's own rules begin after what the generic registry checks.
// `creation`: what creation checks, and nothing else. `metadata`: as `before`, without the rules.
enum class Recheck : std::uint8_t { none, rules, all, before, custom, creation, metadata };

struct KindRules {
  std::string_view resource;  // "deployments.apps"
  NameMessages name = subdomain_name;
  // Beyond metadata.
  void (*create)(const codec::Value& object, FieldErrors& errors) = nullptr;
  void (*update)(const codec::Value& object, const codec::Value& old,
                 FieldErrors& errors) = nullptr;
  void (*status)(const codec::Value& object, const codec::Value& old,
                 FieldErrors& errors) = nullptr;
  Recheck recheck = Recheck::rules;
  bool own_metadata = false;   // creation checks metadata itself, or not at all
  bool any_finalizer = false;  // finalizers need no qualified name
  // Through a subresource other than status and scale.
  void (*part)(std::string_view subresource, const codec::Value& object, const codec::Value& old,
               FieldErrors& errors) = nullptr;
};

// The part rules of pods.
void update_pod_part(std::string_view subresource, const codec::Value& pod, const codec::Value& old,
                     FieldErrors& errors);

std::vector<KindRules> core_rules();
std::vector<KindRules> service_rules();
std::vector<KindRules> event_rules();
std::vector<KindRules> pod_rules();
std::vector<KindRules> workload_rules();
std::vector<KindRules> batch_rules();
std::vector<KindRules> network_rules();
std::vector<KindRules> storage_rules();
std::vector<KindRules> storage_class_rules();
std::vector<KindRules> device_slice_rules();
std::vector<KindRules> policy_rules();
std::vector<KindRules> flow_rules();
std::vector<KindRules> device_rules();
std::vector<KindRules> admission_rules();
std::vector<KindRules> custom_rules();
std::vector<KindRules> registration_rules();
std::vector<KindRules> certificate_rules();

}  // namespace keelson::model
