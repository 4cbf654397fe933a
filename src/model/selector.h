// Label and field selectors. Grammar and error texts: apimachinery pkg/labels/selector.go,
// pkg/fields/selector.go.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace keelson::model {

enum class SelectorOperator : std::uint8_t {
  in,
  not_in,
  exists,
  does_not_exist,
  equals,
  not_equals,
  greater_than,
  less_than
};

struct Requirement {
  std::string key;
  SelectorOperator op = SelectorOperator::exists;
  std::vector<std::string> values;  // sorted
  bool matches(const codec::Value& labels) const;
};

class LabelSelector {
 public:
  LabelSelector() = default;  // matches everything
  static LabelSelector nothing();
  // "app=web,tier in (a,b),!canary".
  static Result<LabelSelector> parse(std::string_view text);
  // A metav1.LabelSelector: null matches nothing, {} everything. A malformed one is an Error.
  static Result<LabelSelector> of(const codec::Value& selector);
  // A plain map, as in Service.spec.selector: all pairs must match; an empty map matches
  // everything.
  static LabelSelector of_map(const codec::Value& map);

  bool matches(const codec::Value& labels) const;
  bool matches_everything() const { return !nothing_ && requirements_.empty(); }
  bool matches_nothing() const { return nothing_; }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  std::string text() const;

 private:
  bool nothing_ = false;
  std::vector<Requirement> requirements_;
};

// "metadata.name=x,spec.nodeName!=y".
struct FieldRequirement {
  std::string path, value;
  bool equal = true;
};
Result<std::vector<FieldRequirement>> parse_field_selector(std::string_view text);

}  // namespace keelson::model
