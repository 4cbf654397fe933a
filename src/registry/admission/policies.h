// What validating and mutating admission policies share: policies and their bindings as they are in
// the store, compiled once for each of their versions; parameters; match conditions; the variables
// that their expressions see. Source: apiserver pkg/admission/plugin/policy and plugin/cel.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/cel/admission_expressions.h"
#include "registry/admission/policy_match.h"

namespace keelson::registry {

using PolicyExpression = model::AdmissionExpression;

// A policy, ready to be evaluated.
struct CompiledPolicy {
  std::string name, revision;
  Value spec;
  struct Named {
    std::string text;
    PolicyExpression compiled;
  };
  std::vector<Named> conditions;
  std::vector<std::pair<std::string, Named>> variables;
  // Of a validating policy: validations, their messages, values of audit annotations. Of a
  // mutating one: mutations.
  std::vector<Named> checks, messages, annotations, mutations;

  bool ignores_failure() const { return spec["failurePolicy"].as_string() == "Ignore"; }
};
using CompiledPolicyPtr = std::shared_ptr<const CompiledPolicy>;

// Kept with the registry's state; forgets what is no longer in the store.
class PolicyPrograms {
 public:
  struct Bound {
    CompiledPolicyPtr policy;
    std::vector<Value> bindings;  // by name
  };
  // All policies of a kind that have bindings, by name. `mutating` says which kind.
  std::vector<Bound> bound(Registry::State& state, bool mutating);

  // Match conditions that stand alone, compiled once for each list of them.
  CompiledPolicyPtr conditions(const Value& list);

 private:
  CompiledPolicyPtr compiled(const Value& policy, bool mutating);
  std::map<std::string, CompiledPolicyPtr> conditions_;
  std::map<std::string, CompiledPolicyPtr> compiled_;
};
std::vector<PolicyPrograms::Bound> bound_policies(Registry::State& state, bool mutating);

// The parameters that a binding refers to; one null where there are none to be had. The error's
// message says why the binding cannot be used.
Result<std::vector<Value>> policy_parameters(Admission& admission, const Value& policy_spec,
                                             const Value& binding_spec);

// One policy with one binding and one parameter, looking at one request.
inline constexpr const char* kOutOfBudget =
    "validation failed due to running out of cost budget, no further validation rules will be run";

class PolicyRun {
 public:
  // `object` and `old` are in `version`.
  PolicyRun(Admission& admission, const CompiledPolicy& policy, const model::Resource& version,
            Value object, Value old, Value parameters);

  // An error datum says why it failed.
  codec::cel::Datum evaluate(const CompiledPolicy::Named& expression);
  // Whether all match conditions hold. An Error if they cannot be evaluated and that matters.
  Result<bool> conditions_hold();
  // Validations, mutations and annotations have a budget each.
  void begin() {
    used_ = 0;
    budget_ = kPolicyBudget;
  }
  // Then no expression is evaluated any more.
  bool is_out_of_budget() const { return used_ > budget_; }

 private:
  static constexpr std::uint64_t kPolicyBudget = 10'000'000, kConditionsBudget = 2'500'000;

  Admission& admission_;
  const CompiledPolicy& policy_;
  std::vector<codec::cel::Datum> variables_;
  std::uint64_t used_ = 0, budget_ = kPolicyBudget;
};

// The matchConditions of a webhook: whether all of them hold for the request, whose objects are in
// `version`. One that is false decides, even where others fail; an Error says which one failed.
Result<bool> match_conditions_hold(Admission& admission, const Value& conditions,
                                   const model::Resource& version, const Value& object,
                                   const Value& old);

}  // namespace keelson::registry
