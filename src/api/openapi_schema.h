// One type of the table as an OpenAPI schema. v2 and v3 differ in where definitions stand, in
// references (v3 wraps them beside other keywords), in defaults and in enumerations (v3 only).
// Original: k8s.io/kube-openapi pkg/generators, pkg/builder3.
#pragma once

#include <map>
#include <string>

#include "codec/schema.h"
#include "codec/value.h"

namespace keelson::api {

using codec::Value;

class SchemaWriter {
 public:
  explicit SchemaWriter(bool v3) : v3_(v3) {}

  // A reference to a named type, which is written too, with all that it refers to.
  Value reference(const codec::Type& type);
  // A reference to a definition made elsewhere.
  Value reference_to(const std::string& name) const;
  void add(const std::string& name, Value schema) { schemas_[name] = std::move(schema); }
  bool has(const std::string& name) const { return schemas_.contains(name); }
  Value* find(const std::string& name);
  Value schemas() const;

 private:
  Value use(const codec::Use& use, bool element, bool pointer, bool zero_default);
  Value scalar(const codec::Type& type);
  void define(const codec::Type& type);
  Value wrap(const std::string& name, bool with_default) const;
  std::string scalar_definition(codec::Scalar scalar);

  bool v3_;
  std::map<std::string, Value> schemas_;
};

}  // namespace keelson::api
