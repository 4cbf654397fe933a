// The type checker: annotates a syntax tree with types and resolved functions, or says what does
// not fit, in cel-go's words. Types of one expression unify through type variables.
#pragma once

#include <vector>

#include "codec/cel/ast.h"
#include "codec/cel/environment.h"

namespace keelson::codec::cel {

// Errors are appended. Names that the checker resolves are rewritten in the tree: `a.b.f(x)`
// becomes a call of the function "a.b.f", `a.b` the variable "a.b".
void check_types(Ast& ast, const Environment& environment, std::vector<SourceError>& errors);

// What is checked after types fit: constant durations, timestamps, regular expressions and formats,
// and that literals of lists and maps hold one kind.
void check_literals(const Ast& ast, std::vector<SourceError>& errors);

}  // namespace keelson::codec::cel
