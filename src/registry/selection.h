// Selection: label and field selectors of a list or watch, with the fields that each kind offers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/selector.h"
#include "model/types.h"
#include "registry/request.h"
#include "store/store.h"

namespace keelson::registry {

class Selection {
 public:
  // Errors: bad_request, in Kubernetes' words, for what cannot be parsed or no such field.
  static Result<Selection> of(const model::Resource& resource, const Options& options);
  bool matches(const Value& object) const;
  // The same for an object as text, of which only what is selected by is read.
  bool matches_text(std::string_view json) const;
  // Of an entry, or of its view if that is not null. Does not leave the entry parsed: many are
  // looked at, few are selected.
  bool takes(const store::Entry& entry, const Value& view) const;
  bool everything() const { return labels_.matches_everything() && fields_.empty(); }
  // The name that a metadata.name requirement fixes; empty: none.
  std::string_view name() const { return name_; }
  std::string_view namespace_name() const { return namespace_; }
  void require_name(std::string_view name);

 private:
  model::LabelSelector labels_;
  std::vector<model::FieldRequirement> fields_;
  std::string name_, namespace_, resource_;
};

// The value of a field that selectors know ("spec.nodeName") as text.
std::string field_text(std::string_view resource, const Value& object, std::string_view path);

}  // namespace keelson::registry
