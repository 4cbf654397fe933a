// The expressions by which claims and classes choose devices. Source: dynamic-resource-allocation
// cel/compile.go.
#pragma once

#include <string>
#include <string_view>

namespace keelson::model {

struct DeviceExpressionProblem {
  std::string message;      // "compilation failed: ..."; empty: the expression may be used
  bool too_costly = false;  // then it is forbidden, not invalid
};

DeviceExpressionProblem device_expression_problem(std::string_view expression);

}  // namespace keelson::model
