// The expressions that select devices (DeviceClasses, ResourceClaims): `device` with its driver,
// its attributes and capacities by domain and name. Source: dynamic-resource-allocation
// cel/compile.go.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::codec::cel {
class Program;
}

namespace keelson::model {

class DeviceExpression {
 public:
  explicit DeviceExpression(std::string_view text);

  // What is wrong with it: "compilation failed: ...", "must evaluate to bool or the unknown type,
  // not int". Empty if nothing is.
  const std::string& error() const { return error_; }
  // It may cost more than an evaluation is allowed to.
  bool too_complex() const { return too_complex_; }

  // `device` is an element of ResourceSlice.spec.devices. bad_request: the expression is wrong;
  // internal_error: it fails on this device ("no such key: x").
  Result<bool> matches(std::string_view driver, const codec::Value& device) const;

 private:
  std::string error_;
  bool too_complex_ = false;
  std::shared_ptr<const codec::cel::Program> program_;
};

// Compiled before, if it was: allocators ask the same of many devices. Safe across threads.
std::shared_ptr<const DeviceExpression> device_expression(std::string_view text);

}  // namespace keelson::model
