// Types of the table as OpenAPI schemas. v2 and v3 differ in where definitions stand, in references
// (v3 wraps them beside other keywords), and in that v2 knows no defaults.
// Original: k8s.io/kube-openapi pkg/generators, pkg/builder3.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/schema.h"
#include "codec/value.h"
#include "model/types.h"

namespace keelson::api {

using codec::Value;

using GroupVersion = std::pair<std::string, std::string>;

class SchemaWriter {
 public:
  SchemaWriter(bool v3, const model::TypeTable& types);

  // In which groups and versions DeleteOptions and WatchEvent say that they are kinds.
  void set_everywhere(std::vector<GroupVersion> list) { everywhere_ = std::move(list); }

  bool v3() const { return v3_; }
  // A reference to a built-in type, which is written too with all that it refers to, or to a schema
  // that was added.
  Value reference(const std::string& name);
  // The same as the schema of a member, beside which others could stand.
  Value member_reference(const std::string& name);
  void add(const std::string& name, Value schema) { schemas_[name] = std::move(schema); }
  // v3 says nothing beside a reference.
  Value describe(Value schema, std::string_view text) const;
  bool has(const std::string& name) const { return schemas_.contains(name); }
  Value schemas() const;

 private:
  Value use(const codec::Use& use, bool element, bool pointer, bool zero_default);
  Value scalar(const codec::Type& type);
  void define(const codec::Type& type);
  void mark(const codec::Type& type, Value& schema) const;
  Value wrap(const std::string& name, bool with_default) const;
  Value reference_to(const std::string& name) const;
  std::string scalar_definition(codec::Scalar scalar);

  bool v3_;
  const model::TypeTable& types_;
  std::map<std::string, Value> schemas_;
  std::map<std::string, GroupVersion, std::less<>> packages_;  // of built-in kinds
  std::vector<GroupVersion> everywhere_;
};

}  // namespace keelson::api
