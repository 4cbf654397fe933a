// The tokens of an expression, numbered and matched as in CEL's grammar (CEL.g4): the longest match
// wins, and what is no token is an error that quotes the text up to where matching ended.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codec/cel/ast.h"

namespace keelson::codec::cel {

// In the order of the grammar: messages list what was expected in this order.
enum class Token : std::uint8_t {
  end,
  equals,
  not_equals,
  in,
  less,
  less_equals,
  greater_equals,
  greater,
  logical_and,
  logical_or,
  left_bracket,
  right_bracket,
  left_brace,
  right_brace,
  left_parenthesis,
  right_parenthesis,
  dot,
  comma,
  minus,
  exclamation,
  question,
  colon,
  plus,
  star,
  slash,
  percent,
  true_word,
  false_word,
  null_word,
  float_number,
  integer,
  unsigned_integer,
  string,
  bytes,
  identifier,
  escaped_identifier,
};

struct Lexeme {
  Token token = Token::end;
  std::uint32_t begin = 0, end = 0;  // code points
};

// Ends with a Token::end. Errors are appended.
std::vector<Lexeme> scan(const Source& source, std::vector<SourceError>& errors);
// "'=='", "NUM_INT", "<EOF>".
std::string_view token_name(Token token);
// White space as messages show it: \n, \r, \t.
std::string escape_space(std::string_view text);

}  // namespace keelson::codec::cel
