#include "model/validation/rules.h"
namespace keelson::model {
std::vector<KindRules> core_rules() {
  return {};
}
std::vector<KindRules> pod_rules() {
  return {};
}
std::vector<KindRules> workload_rules() {
  return {};
}
std::vector<KindRules> batch_rules() {
  return {};
}
std::vector<KindRules> network_rules() {
  return {};
}
std::vector<KindRules> storage_rules() {
  return {};
}
std::vector<KindRules> policy_rules() {
  return {};
}
std::vector<KindRules> other_rules() {
  return {};
}
}  // namespace keelson::model
