// Substitution of type variables, as cel-go's checker does it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codec/cel/type.h"

namespace keelson::codec::cel {

class Substitution {
 public:
  // True if a value of `from` can stand where `to` is wanted; then variables are bound for it, else
  // nothing changes.
  bool assignable(const TypePtr& from, const TypePtr& to);
  bool assignable(const std::vector<TypePtr>& from, const std::vector<TypePtr>& to);
  // With bound variables replaced; free ones become dyn if `free_to_dyn`.
  TypePtr apply(const TypePtr& type, bool free_to_dyn) const;
  void bind(const std::string& variable, TypePtr type) { bound_[variable] = std::move(type); }

 private:
  bool assign(const TypePtr& from, const TypePtr& to);
  bool assign_all(const std::vector<TypePtr>& from, const std::vector<TypePtr>& to);
  // Binds `variable` to `type`, or tells whether its binding fits. `had`: it was bound.
  bool substitute(const TypePtr& type, const TypePtr& variable, bool& had);
  bool not_within(const TypePtr& variable, const TypePtr& type) const;

  std::map<std::string, TypePtr> bound_;
};

bool is_dyn(const Type& type);
bool is_dyn_or_error(const Type& type);
// The one of two types that holds values of both.
const TypePtr& most_general(const TypePtr& a, const TypePtr& b);

}  // namespace keelson::codec::cel
