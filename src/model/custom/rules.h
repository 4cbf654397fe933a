// The rules of custom resources (x-kubernetes-validations): compiled once for a schema, evaluated
// on objects. Source: apiextensions-apiserver pkg/apiserver/schema/cel.
//
//   const CustomRules rules(schema);
//   rules.check(object, old, errors, warnings);
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "codec/cel/cel.h"
#include "codec/value.h"
#include "model/field_error.h"

namespace keelson::model {

// One rule of a schema. What is wrong with it, if something is; else it can be evaluated.
struct CompiledRule {
  codec::Value rule;  // as the schema has it
  std::string error;  // "compilation failed: ..."
  std::string message_error;
  bool uses_old = false;
  std::shared_ptr<const codec::cel::Program> program, message;  // message: null if there is none
  std::uint64_t cost_max = 0, message_cost_max = 0;             // estimates of one evaluation
};

// The rules that stand at one schema. `type` is the schema's (rule_type).
std::vector<CompiledRule> compile_rules(const codec::Value& rules, const codec::cel::TypePtr& type);

class CustomRules {
 public:
  // `schema` is a structural schema of a whole object.
  explicit CustomRules(const codec::Value& schema);
  ~CustomRules();
  CustomRules(const CustomRules&) = delete;
  CustomRules& operator=(const CustomRules&) = delete;

  // `old` is null on creation. Rules that fail on what did not change become warnings, unless they
  // compare with what was before.
  void check(const codec::Value& object, const codec::Value& old, FieldErrors& errors,
             std::vector<std::string>& warnings) const;

 private:
  struct Node;
  class Check;
  codec::Value schema_;
  std::unique_ptr<const Node> root_;
};

// Made when it is first asked for, kept with the resource whose schema it is. Safe across threads.
class LazyCustomRules {
 public:
  explicit LazyCustomRules(codec::Value schema) : schema_(std::move(schema)) {}
  const CustomRules& get() const;

 private:
  codec::Value schema_;
  mutable std::once_flag once_;
  mutable std::unique_ptr<const CustomRules> made_;
};

// The rules of a definition's schema, as the definition is written: they must compile, and may not
// cost too much. Rules below a level that has other faults are not looked at, so this is asked for
// each level, children first.
class RuleCheck {
 public:
  // A place in the schema, from the root on.
  struct Place {
    bool in_scope = false;  // this level or one above has rules
    bool bounded = true;    // it is known how often the place can occur
    std::uint64_t count_max = 1;
    const std::string* uncorrelatable = nullptr;  // path of the part without oldSelf, if any
  };
  // The place of a child: of a property, of items or of additional properties.
  static Place below(const Place& place, const codec::Value& schema);

  void check(const Path& path, const codec::Value& schema, const Place& place, bool root,
             FieldErrors& errors);
  // The cost of all of them.
  void check_total(const Path& path, FieldErrors& errors) const;

 private:
  void observe(const Path& path, std::uint64_t cost);
  struct Cost {
    std::string path;
    std::uint64_t cost;
  };
  std::uint64_t total_ = 0;
  std::vector<Cost> most_expensive_;
};

}  // namespace keelson::model
