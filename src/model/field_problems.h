// What an error of the API says about single fields, bare, for people who look for the line of a
// manifest: of validation (its causes), of strict decoding (`unknown field "spec.foo"`) and of
// typed patches (`.spec.containers[name="web"].foo: field not declared in schema`).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::model {

struct FieldProblem {
  std::string field;    // "spec.containers[0].image", indexes into the object; empty: none is named
  std::string message;  // without the field
  bool operator==(const FieldProblem&) const = default;
};

// At least one. object: the manifest, in which elements that are named by their keys are found.
std::vector<FieldProblem> field_problems(const Error& error, const codec::Value& object);

}  // namespace keelson::model
