// What an expression may refer to: functions, variables, object types.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codec/cel/library.h"

namespace keelson::codec::cel {

struct Environment {
  std::shared_ptr<const Library> library;
  struct Variable {
    std::string name;
    TypePtr type;
  };
  std::vector<Variable> variables = {};  // a program is given their values in this order
  // Objects that expressions may build, by name: `Object.spec{...}`; null for other names.
  TypePtr (*find_object)(std::string_view name) = nullptr;

  int find_variable(std::string_view name) const;  // -1 if there is none
};

// The language and the extensions of cel-go, without Kubernetes' own libraries.
std::shared_ptr<Library> make_base_library();

}  // namespace keelson::codec::cel
