// The expressions that select devices: the part of CEL that DeviceClasses and ResourceClaims use.
// It knows `device` (driver, attributes, capacity), literals, the operators, `in`, has(),
// quantity() with its comparisons, and the common functions on strings. Anything else is an error
// that says so; nothing is silently taken for true or false.
#pragma once

#include <string_view>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::sched {

// `device` is an element of ResourceSlice.spec.devices. Errors: bad_request if the expression is
// not understood, internal_error with CEL's words if it fails on this device ("no such key: x").
Result<bool> device_matches(std::string_view expression, std::string_view driver,
                            const codec::Value& device);

}  // namespace keelson::sched
