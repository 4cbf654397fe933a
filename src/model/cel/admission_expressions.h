// Expressions of admission: match conditions, validations, messages, audit annotations, variables
// and mutations, in the environment that each may use. Source: apiserver
// pkg/admission/plugin/cel/compile.go.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "codec/cel/cel.h"

namespace keelson::model {

// What an expression is given, in the order of an environment's variables.
enum class AdmissionVariable : std::uint8_t {
  object,
  old_object,
  namespace_object,
  request,
  params,
  authorizer,
  request_resource,
  variables,
};
inline constexpr std::size_t kAdmissionVariables = 8;

// The variables that a policy composes: name and type, in order.
using ComposedVariables = std::vector<std::pair<std::string, codec::cel::TypePtr>>;

struct AdmissionScope {
  bool params = false, authorizer = false;
  bool patches = false;                          // Object{...} and JSONPatch{...} can be built
  const ComposedVariables* variables = nullptr;  // null: the policy has none
  codec::cel::TypePtr object_type = {};          // of object and oldObject; null: any
  codec::cel::TypePtr params_type = {};
};
codec::cel::Environment admission_environment(const AdmissionScope& scope);

struct AdmissionExpression {
  std::shared_ptr<const codec::cel::Program> program;  // null if something is wrong
  std::string error;      // "compilation failed: ...", "must evaluate to bool but got int"
  bool internal = false;  // the error is one of a constant part
  codec::cel::TypePtr type;
};
// `results`: names of the types that the expression may have, "bool"; empty: any.
AdmissionExpression compile_admission(std::string_view text, const AdmissionScope& scope,
                                      const std::vector<std::string>& results);

}  // namespace keelson::model
