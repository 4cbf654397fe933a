// Node selectors and node affinity as component-helpers' nodeaffinity matches them: terms are
// alternatives, a malformed term matches nothing and leaves the others alone, an empty term
// matches nothing.
#pragma once

#include <string>
#include <vector>

#include "codec/value.h"
#include "model/field_error.h"
#include "model/selector.h"
#include "sched/node_info.h"

namespace keelson::sched {

// One nodeSelectorTerm.
class NodeSelectorTerm {
 public:
  // `path` is where the term stands, for the texts of errors.
  NodeSelectorTerm(const Value& term, const model::Path& path);
  bool matches(const Value& labels, std::string_view name) const;
  bool empty() const { return empty_; }
  // What is malformed; the term then matches nothing.
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  struct FieldRule {
    std::string key, value;
    bool equal = true;
  };
  bool empty_ = false;
  std::vector<std::string> errors_;
  std::vector<model::Requirement> labels_;
  std::vector<FieldRule> fields_;
};

class NodeSelector {
 public:
  // A core/v1 NodeSelector.
  explicit NodeSelector(const Value& selector);
  bool matches(const Value& labels, std::string_view name) const;

 private:
  std::vector<NodeSelectorTerm> terms_;
};

// spec.nodeSelector together with required node affinity.
class RequiredNodeAffinity {
 public:
  explicit RequiredNodeAffinity(const Value& pod_spec);
  bool matches(const NodeInfo& node) const;
  bool asks_nothing() const { return affinity_.empty() && node_selector_.empty(); }

 private:
  Value node_selector_;
  std::vector<NodeSelector> affinity_;  // none or one
};

}  // namespace keelson::sched
