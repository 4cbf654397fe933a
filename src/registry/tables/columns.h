// The printer columns of built-in kinds as text. A paragraph starts with the resource's name at the
// margin; each further line is a column:
//
//   NAME[:TYPE][/FORMAT][*PRIORITY] = EXPRESSION
//
// Expressions: .path[?FALLBACK] the text there; int .path, bool .path[?true]; count .path...;
// age .path, labels .path, selector .path, names .path and images .path (of containers);
// join .path (texts of a list); @function, a function of cells.cc. Name and Age alone are the two
// columns that nearly all have. A line without a name makes a cell without a column (the original
// has one).
#pragma once

#include <string_view>

#include "registry/tables/table.h"

namespace keelson::registry {

extern const char* const kColumns;

// The cell function of that name; empty if there is none.
Cell named_cell(std::string_view name);

// Shared by cells: "<none>" for nothing, "a=b,c=d" otherwise.
std::string labels_text(const Value& labels);
std::string selector_text(const Value& selector);
std::string age_text(const Value& time, Instant now);

// The values that a kubectl JSONPath ("{.a.b[0]}" without braces) finds. Simple paths, indexes,
// [*], quoted keys and filters [?(@.type=="Ready")].
std::vector<Value> find_json_path(const Value& object, std::string_view path);

}  // namespace keelson::registry
