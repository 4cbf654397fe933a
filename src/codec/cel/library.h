// Functions as expressions see them: declarations for the checker, implementations for the
// evaluator. Implementations are pure; they may read what an opaque argument holds.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/cel/datum.h"

namespace keelson::codec::cel {

using Arguments = std::span<const Datum>;
using Implementation = Datum (*)(Arguments arguments);

struct Overload {
  std::string id;
  bool member = false;
  std::vector<TypePtr> arguments;  // of a member the receiver is the first
  TypePtr result;
  Implementation run = nullptr;              // null: the function's own
  std::vector<std::string> parameters = {};  // type parameters that occur
};

// A regular expression that was compiled once.
class Pattern;
using PatternPtr = std::shared_ptr<const Pattern>;

struct Function {
  std::string name;
  std::vector<Overload> overloads;
  // One implementation for all overloads, for receivers of these kinds only.
  Implementation any = nullptr;
  std::uint32_t receivers = ~0U;  // bits by Datum::Kind
  bool guarded = true;            // arguments are checked against the overload before it runs
  // The argument that is a regular expression, and what runs if it is constant.
  int pattern_argument = -1;
  Datum (*run_with_pattern)(Arguments arguments, const Pattern& pattern) = nullptr;
};

constexpr std::uint32_t kinds() {
  return 0;
}
template <typename... Kinds>
constexpr std::uint32_t kinds(Datum::Kind first, Kinds... rest) {
  return 1U << static_cast<unsigned>(first) | kinds(rest...);
}

class Library {
 public:
  // The function, made if it is not there. References stay valid.
  Function& function(std::string_view name);
  const Function* find(std::string_view name) const;
  void add(std::string_view name, std::string_view id, std::initializer_list<TypePtr> arguments,
           TypePtr result, Implementation run = nullptr);
  void add_member(std::string_view name, std::string_view id,
                  std::initializer_list<TypePtr> arguments, TypePtr result,
                  Implementation run = nullptr);
  // A name for a type: `type(x) == net.IP`.
  void add_type(std::string_view name, TypePtr type);
  const TypePtr* find_type(std::string_view name) const;

 private:
  void add(std::string_view name, Overload overload);
  std::map<std::string, Function, std::less<>> functions_;
  std::map<std::string, TypePtr, std::less<>> types_;
};

// The standard functions, and the extensions of cel-go that Kubernetes enables: strings, lists,
// sets, optional values, two-variable comprehensions, and its own find() and findAll().
void add_standard_library(Library& library);
void add_time_library(Library& library);
void add_conversion_library(Library& library);
void add_string_library(Library& library);
void add_regex_library(Library& library);
void add_list_library(Library& library);
void add_optional_library(Library& library);

// Compiles a regular expression; the error reads as Go's: "error parsing regexp: ...".
Result<PatternPtr> compile_pattern(std::string_view pattern);

// A conversion such as int() or timestamp() applied to one value.
Datum convert(const Datum& value, std::string_view type_name);

}  // namespace keelson::codec::cel
