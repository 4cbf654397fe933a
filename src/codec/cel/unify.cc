#include "codec/cel/unify.h"

namespace keelson::codec::cel {

namespace {

bool is_variable(const Type& type) {
  return type.kind == Type::Kind::parameter;
}

bool may_be_null(const Type& type) {
  switch (type.kind) {
    case Type::Kind::opaque:
    case Type::Kind::object:
    case Type::Kind::duration:
    case Type::Kind::timestamp:
    case Type::Kind::null: return true;
    default: return false;
  }
}

bool equal_or_less_specific(const Type& a, const Type& b) {
  if (is_dyn(a) || is_variable(a)) return true;
  if (is_dyn(b) || is_variable(b) || a.kind != b.kind) return false;
  switch (a.kind) {
    case Type::Kind::opaque:
    case Type::Kind::list:
    case Type::Kind::map:
      if (a.name != b.name || a.parameters.size() != b.parameters.size()) return false;
      for (std::size_t i = 0; i < a.parameters.size(); ++i)
        if (!equal_or_less_specific(*a.parameters[i], *b.parameters[i])) return false;
      return true;
    case Type::Kind::type: return true;
    default: return same_type(a, b);
  }
}

}  // namespace

bool is_dyn(const Type& type) {
  return type.kind == Type::Kind::dyn;
}
bool is_dyn_or_error(const Type& type) {
  return is_dyn(type) || type.kind == Type::Kind::error;
}
const TypePtr& most_general(const TypePtr& a, const TypePtr& b) {
  return equal_or_less_specific(*a, *b) ? a : b;
}

bool Substitution::assignable(const TypePtr& from, const TypePtr& to) {
  Substitution attempt = *this;
  if (!attempt.assign(from, to)) return false;
  *this = std::move(attempt);
  return true;
}

bool Substitution::assignable(const std::vector<TypePtr>& from, const std::vector<TypePtr>& to) {
  if (from.size() != to.size()) return false;
  Substitution attempt = *this;
  if (!attempt.assign_all(from, to)) return false;
  *this = std::move(attempt);
  return true;
}

bool Substitution::assign_all(const std::vector<TypePtr>& from, const std::vector<TypePtr>& to) {
  if (from.size() != to.size()) return false;
  for (std::size_t i = 0; i < from.size(); ++i)
    if (!assign(from[i], to[i])) return false;
  return true;
}

bool Substitution::assign(const TypePtr& from, const TypePtr& to) {
  if (is_variable(*to)) {
    bool had = false;
    if (substitute(from, to, had)) return true;
    if (had) return false;
  }
  if (is_variable(*from)) {
    bool had = false;
    return substitute(to, from, had);
  }
  if (is_dyn_or_error(*from) || is_dyn_or_error(*to)) return true;
  if (from->kind == Type::Kind::null) return may_be_null(*to);
  if (to->kind == Type::Kind::null) return may_be_null(*from);
  if (from->kind != to->kind) return false;
  switch (from->kind) {
    case Type::Kind::type: return true;
    case Type::Kind::opaque:
    case Type::Kind::list:
    case Type::Kind::map:
      return from->name == to->name && assign_all(from->parameters, to->parameters);
    default: return from->name == to->name;
  }
}

bool Substitution::substitute(const TypePtr& type, const TypePtr& variable, bool& had) {
  had = true;
  if (same_type(*type, *variable)) return true;
  const auto it = bound_.find(variable->name);
  if (it != bound_.end()) {
    const TypePtr present = it->second;
    if (same_type(*type, *present)) return true;
    if (!assign(type, present)) return false;
    const TypePtr general = most_general(type, present);
    if (not_within(variable, general)) bound_[variable->name] = general;
    return true;
  }
  had = false;
  if (!not_within(variable, type)) return false;
  bound_[variable->name] = type;
  return true;
}

bool Substitution::not_within(const TypePtr& variable, const TypePtr& type) const {
  if (same_type(*variable, *type)) return false;
  if (is_variable(*type)) {
    const auto it = bound_.find(type->name);
    return it == bound_.end() || not_within(variable, it->second);
  }
  for (const TypePtr& parameter : type->parameters)
    if (!not_within(variable, parameter)) return false;
  return true;
}

TypePtr Substitution::apply(const TypePtr& type, bool free_to_dyn) const {
  if (is_variable(*type)) {
    const auto it = bound_.find(type->name);
    if (it != bound_.end()) return apply(it->second, free_to_dyn);
    return free_to_dyn ? dyn_type() : type;
  }
  if (type->parameters.empty()) return type;
  Type copy = *type;
  bool changed = false;
  for (TypePtr& parameter : copy.parameters) {
    TypePtr applied = apply(parameter, free_to_dyn);
    changed = changed || applied != parameter;
    parameter = std::move(applied);
  }
  return changed ? std::make_shared<const Type>(std::move(copy)) : type;
}

}  // namespace keelson::codec::cel
