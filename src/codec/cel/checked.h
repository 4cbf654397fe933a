// A checked expression: its tree with types, and the environment it was checked in.
#pragma once

#include "codec/cel/ast.h"
#include "codec/cel/environment.h"

namespace keelson::codec::cel {

struct Checked {
  Ast ast;
  Environment environment;
};

}  // namespace keelson::codec::cel
