// Which rules belong to which kind.
#pragma once

#include <string_view>
#include <vector>

#include "codec/value.h"
#include "model/field_error.h"
#include "model/validation/common.h"

namespace keelson::model {

struct KindRules {
  std::string_view resource;  // "deployments.apps"
  NameMessages name = subdomain_name;
  // Beyond metadata.
  void (*create)(const codec::Value& object, FieldErrors& errors) = nullptr;
  void (*update)(const codec::Value& object, const codec::Value& old,
                 FieldErrors& errors) = nullptr;
  void (*status)(const codec::Value& object, const codec::Value& old,
                 FieldErrors& errors) = nullptr;
  // Whether an update repeats the rules of creation before its own.
  bool recheck = true;
};

std::vector<KindRules> core_rules();
std::vector<KindRules> pod_rules();
std::vector<KindRules> workload_rules();
std::vector<KindRules> batch_rules();
std::vector<KindRules> network_rules();
std::vector<KindRules> storage_rules();
std::vector<KindRules> policy_rules();
std::vector<KindRules> other_rules();

}  // namespace keelson::model
