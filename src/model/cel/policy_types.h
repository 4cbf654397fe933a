// Whether the expressions of a ValidatingAdmissionPolicy fit the types of the objects that it
// speaks of: warnings for its status, which change nothing about what the policy does. Pure.
// Source: apiserver pkg/admission/plugin/policy/validating/typechecking.go.
//
// Unlike the original, quantities and free-form fields are of any type: it does not know them at
// all and warns of every use.
#pragma once

#include <string>
#include <vector>

#include "codec/value.h"
#include "model/types.h"

namespace keelson::model {

struct ExpressionWarning {
  std::string field, text;  // "spec.validations[0].expression"
};
std::vector<ExpressionWarning> check_policy_types(const codec::Value& policy,
                                                  const TypeTable& types);

}  // namespace keelson::model
