// Correlation: a value beside what it was before an update, as far down as the schema lets the two
// be matched: members of objects by name, items of lists of type map by their keys, and nothing
// else. What is the same as before need not become valid ("ratcheting"). Behaviour: apiserver
// pkg/cel/common CorrelatedObject.
//
// Refers to schema and values, which must outlive it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "codec/value.h"

namespace keelson::model {

class Correlation {
 public:
  Correlation(const codec::Value& schema, const codec::Value& now, const codec::Value& old)
      : schema_(&schema), now_(&now), old_(&old) {}

  // Nothing where there was no such member or item before, or the schema does not know it.
  std::optional<Correlation> key(std::string_view name) const;
  std::optional<Correlation> index(std::size_t i) const;
  // Unchanged. The order of a list of type map does not matter.
  bool same() const;

  const codec::Value& now() const { return *now_; }
  const codec::Value& old() const { return *old_; }

 private:
  const codec::Value *schema_, *now_, *old_;
};

}  // namespace keelson::model
