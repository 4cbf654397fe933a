#include "model/validation/pod.h"
#include "model/validation/rules.h"
namespace keelson::model {
using K = std::vector<KindRules>;
K workload_rules() {
  return {};
}
K batch_rules() {
  return {};
}
K network_rules() {
  return {};
}
K storage_rules() {
  return {};
}
K policy_rules() {
  return {};
}
K other_rules() {
  return {};
}
void check_claim_spec(const Path&, const Value&, FieldErrors&) {}
}  // namespace keelson::model
