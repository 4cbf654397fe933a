// The syntax tree of an expression after its macros are expanded, with positions, and the errors of
// compiling it. Nodes live as long as their Ast; macros may let two parents share a node.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "codec/cel/datum.h"

namespace keelson::codec::cel {

struct Expr {
  enum class Kind : std::uint8_t {
    literal,        // value
    identifier,     // name
    select,         // operands[0].name; test_only: has()
    call,           // name(operands[first_argument..]); member: operands[0] is the receiver
    list,           // operands; optionals[i]
    map,            // operands: key, value, key, value ...; optionals[entry]
    object,         // name{field_names[i]: operands[i]}
    comprehension,  // see Fold
  };
  // The operands of a comprehension.
  enum Fold : std::uint8_t { kRange, kInitial, kCondition, kStep, kResult };

  Kind kind = Kind::literal;
  bool member = false;
  bool test_only = false;
  std::uint32_t id = 0;        // unique in its tree
  std::uint32_t position = 0;  // code points from the start of the text
  std::string name;
  Datum value;
  std::vector<Expr*> operands;
  std::vector<bool> optionals;
  std::vector<std::string> field_names;
  std::vector<std::uint32_t> field_positions;  // of the colons
  // Of a comprehension; the second variable is empty where there is one only.
  std::string variable, variable2, accumulator;

  // Set by the checker.
  TypePtr type;
  std::vector<const struct Overload*> overloads;
  const struct Function* function = nullptr;
  int variable_index = -1;  // of the environment's variables, for identifiers that name one
};

struct SourceError {
  std::int64_t position = -1;  // -1: no place
  std::string message;
};

class Source {
 public:
  explicit Source(std::string_view text);
  const std::vector<char32_t>& points() const { return points_; }
  // "ERROR: <input>:1:5: message\n | text\n | ....^", sorted by place, one below another.
  std::string report(std::vector<SourceError> errors) const;

 private:
  std::vector<char32_t> points_;
  std::vector<std::size_t> lines_;  // where each begins
};

struct Ast {
  std::deque<Expr> nodes;
  Expr* root = nullptr;
  Expr* make(Expr::Kind kind, std::uint32_t position) {
    Expr& node = nodes.emplace_back();
    node.kind = kind;
    node.id = static_cast<std::uint32_t>(nodes.size());
    node.position = position;
    return &node;
  }
  Expr* copy(const Expr& node);  // deep
};

inline constexpr std::string_view kAccumulator = "__result__";

}  // namespace keelson::codec::cel
