// What expressions see of custom objects: the types that a structural schema declares, with bounds
// on sizes for the estimate of costs, and the shapes in which values are read. Source: apiserver
// pkg/cel/common schemas.go and valuesunstructured.go.
#pragma once

#include <string>
#include <vector>

#include "codec/cel/cel.h"
#include "codec/value.h"

namespace keelson::model {

// Null for a schema that declares nothing (no type). `name` is the name of the type, and the start
// of the names of those inside: "selfType1.spec". `root`: the object's metadata is known.
codec::cel::TypePtr rule_type(const codec::Value& schema, const std::string& name, bool root);
codec::cel::ShapePtr rule_shape(const codec::Value& schema, bool root);

// How large what an expression reads can be, if `self` is of this type.
codec::cel::SizeHint size_hint(codec::cel::TypePtr root);

inline constexpr std::int64_t kRequestBytesMax = 3 * 1024 * 1024;

}  // namespace keelson::model
