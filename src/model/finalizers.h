// The names in metadata.finalizers, by which somebody holds an object back that is to go.
#pragma once

#include <string_view>

#include "codec/value.h"

namespace keelson::model {

using codec::Value;

bool has_finalizer(const Value& object, std::string_view name);
// What the object's list is without this one, in its order; empty if nothing is left.
Value finalizers_without(const Value& object, std::string_view name);
// The same with this one at its end.
Value finalizers_with(const Value& object, std::string_view name);
// An empty list takes the member away.
void set_finalizers(Value& object, Value finalizers);

}  // namespace keelson::model
