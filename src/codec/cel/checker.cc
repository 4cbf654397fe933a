#include "codec/cel/checker.h"

#include "codec/cel/unify.h"

namespace keelson::codec::cel {

namespace {

// "a.b.c" of a chain of selects on a name; empty if it is none.
std::string qualified_name(const Expr& node) {
  if (node.kind == Expr::Kind::identifier) return node.name;
  if (node.kind != Expr::Kind::select || node.test_only) return {};
  const std::string prefix = qualified_name(*node.operands[0]);
  return prefix.empty() ? prefix : prefix + "." + node.name;
}

std::string_view without_dot(std::string_view name) {
  if (name.starts_with('.')) name.remove_prefix(1);
  return name;
}

class Checker {
 public:
  Checker(Ast& ast, const Environment& environment, std::vector<SourceError>& errors)
      : ast_(ast), environment_(environment), errors_(errors) {}

  void run() {
    check(*ast_.root);
    for (Expr& node : ast_.nodes)
      if (node.type) node.type = substitution_.apply(node.type, true);
  }

 private:
  struct Local {
    std::string name;
    TypePtr type;
  };

  void report(const Expr& at, std::string message) {
    errors_.push_back({static_cast<std::int64_t>(at.position), std::move(message)});
  }
  void mismatch(const Expr& at, const TypePtr& expected, const TypePtr& found) {
    report(at, "expected type '" + to_text(*expected) + "' but found '" + to_text(*found) + "'");
  }
  TypePtr resolved(const TypePtr& type) const { return substitution_.apply(type, false); }
  TypePtr new_variable() { return parameter("_var" + std::to_string(variables_++)); }

  // The type of a variable or of a type's name; null if there is none.
  TypePtr find_identifier(std::string_view name, Expr& node) {
    const std::string_view plain = without_dot(name);
    node.variable_index = -1;
    if (plain == name)
      for (std::size_t i = locals_.size(); i-- > 0;)
        if (locals_[i].name == plain) return locals_[i].type;
    if (const int index = environment_.find_variable(plain); index >= 0) {
      node.variable_index = index;
      return environment_.variables[static_cast<std::size_t>(index)].type;
    }
    if (const TypePtr* type = environment_.library->find_type(plain)) return type_of(*type);
    if (const TypePtr type = find_object(plain)) return type_of(type);
    return nullptr;
  }

  TypePtr find_object(std::string_view name) const {
    return environment_.find_object ? environment_.find_object(name) : nullptr;
  }

  void check(Expr& node) {
    switch (node.kind) {
      case Expr::Kind::literal: node.type = literal_type(node.value); break;
      case Expr::Kind::identifier: check_identifier(node); break;
      case Expr::Kind::select: check_select(node); break;
      case Expr::Kind::call: check_call(node); break;
      case Expr::Kind::list: check_list(node); break;
      case Expr::Kind::map: check_map(node); break;
      case Expr::Kind::object: check_object(node); break;
      case Expr::Kind::comprehension: check_comprehension(node); break;
    }
  }

  static TypePtr literal_type(const Datum& value) {
    switch (value.kind()) {
      case Datum::Kind::boolean: return bool_type();
      case Datum::Kind::integer: return int_type();
      case Datum::Kind::unsigned_integer: return uint_type();
      case Datum::Kind::number: return double_type();
      case Datum::Kind::string: return string_type();
      case Datum::Kind::bytes: return bytes_type();
      default: return null_type();
    }
  }

  void check_identifier(Expr& node) {
    node.type = find_identifier(node.name, node);
    if (node.type) {
      node.name = without_dot(node.name);
      return;
    }
    node.type = error_type();
    report(node, "undeclared reference to '" + node.name + "' (in container '')");
  }

  void check_select(Expr& node) {
    if (!node.test_only) {
      const std::string name = qualified_name(node);
      const bool shadowed = is_local(name.substr(0, name.find('.')));
      if (!name.empty() && !shadowed) {
        if (TypePtr type = find_identifier(name, node)) {
          node.kind = Expr::Kind::identifier;
          node.name = without_dot(name);
          node.operands.clear();
          node.type = std::move(type);
          return;
        }
      }
    }
    const TypePtr type = select_field(node, *node.operands[0], node.name, false);
    node.type = node.test_only ? bool_type() : resolved(type);
  }
  bool is_local(std::string_view name) const {
    for (const Local& local : locals_)
      if (local.name == name) return true;
    return false;
  }

  TypePtr select_field(Expr& node, Expr& operand, const std::string& field, bool optional) {
    check(operand);
    TypePtr target = resolved(operand.type);
    const bool unwrapped = is_optional(*target);
    if (unwrapped) target = target->parameters[0];
    TypePtr result = error_type();
    switch (target->kind) {
      case Type::Kind::map: result = target->parameters[1]; break;
      case Type::Kind::object: {
        const auto it = target->fields.find(field);
        if (it != target->fields.end())
          result = it->second;
        else if (target->open)
          result = dyn_type();
        else
          report(node, "undefined field '" + field + "'");
        break;
      }
      case Type::Kind::parameter:
        substitution_.assignable(dyn_type(), target);
        result = dyn_type();
        break;
      default:
        if (target->is_object_type)
          report(node, "unexpected failed resolution of '" + target->name + "'");
        else if (!is_dyn_or_error(*target))
          report(node, "type '" + to_text(*target) + "' does not support field selection");
        result = target->is_object_type ? error_type() : dyn_type();
        break;
    }
    return unwrapped || optional ? optional_of(result) : result;
  }

  void check_call(Expr& node) {
    if (node.name == "_?._" && node.operands.size() == 2 && !node.member) {
      Expr& field = *node.operands[1];
      check(field);
      const TypePtr type =
          select_field(node, *node.operands[0], std::string(field.value.text()), true);
      node.type = resolved(type);
      node.function = environment_.library->find(node.name);
      node.overloads = {&node.function->overloads[0]};
      return;
    }
    const std::size_t first = node.member ? 1 : 0;
    for (std::size_t i = first; i < node.operands.size(); ++i) check(*node.operands[i]);
    if (!node.member) {
      const std::string_view name = without_dot(node.name);
      node.function = environment_.library->find(name);
      if (!node.function) return undeclared(node);
      node.name = name;
      return resolve(node);
    }
    // The receiver may be the first part of a function's name: `sets.contains(a, b)`.
    Expr& target = *node.operands[0];
    if (const std::string prefix = qualified_name(target); !prefix.empty()) {
      const std::string name = std::string(without_dot(prefix)) + "." + node.name;
      if (const Function* function = environment_.library->find(name)) {
        node.name = name;
        node.member = false;
        node.operands.erase(node.operands.begin());
        node.function = function;
        return resolve(node);
      }
    }
    check(target);
    node.function = environment_.library->find(node.name);
    if (!node.function) return undeclared(node);
    resolve(node);
  }
  void undeclared(Expr& node) {
    report(node, "undeclared reference to '" + node.name + "' (in container '')");
    node.type = error_type();
  }

  void resolve(Expr& node) {
    std::vector<TypePtr> arguments;
    for (const Expr* operand : node.operands) arguments.push_back(operand->type);
    node.overloads.clear();
    if (!node.member && (node.name == "_&&_" || node.name == "_||_")) {
      node.type = bool_type();
      node.overloads = {&node.function->overloads[0]};
      for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (substitution_.assignable(arguments[i], bool_type())) continue;
        mismatch(*node.operands[i], bool_type(), resolved(arguments[i]));
        node.type = error_type();
      }
      return;
    }
    TypePtr result;
    for (const Overload& overload : node.function->overloads) {
      if (overload.member != node.member || overload.arguments.size() != arguments.size()) continue;
      Substitution fresh;
      for (const std::string& name : overload.parameters) fresh.bind(name, new_variable());
      std::vector<TypePtr> wanted;
      for (const TypePtr& argument : overload.arguments)
        wanted.push_back(fresh.apply(argument, false));
      if (!substitution_.assignable(arguments, wanted)) continue;
      node.overloads.push_back(&overload);
      const TypePtr type = resolved(fresh.apply(overload.result, false));
      if (!result)
        result = type;
      else if (!is_dyn(*result) && !same_type(*type, *result))
        result = dyn_type();
    }
    if (result) {
      node.type = std::move(result);
      return;
    }
    for (TypePtr& argument : arguments) argument = substitution_.apply(argument, true);
    report(node, "found no matching overload for '" + node.name + "' applied to '" +
                     signature(arguments, node.member) + "'");
    node.type = error_type();
  }

  // The type of an optional element: what it holds, if it holds something.
  TypePtr unwrapped(const Expr& element) {
    const TypePtr& type = element.type;
    if (is_optional(*type)) return type->parameters[0];
    if (!is_dyn(*type)) mismatch(element, optional_of(type), type);
    return type;
  }
  // The type of elements of both types. Kinds that do not fit make it dyn; that literals hold one
  // kind is checked later, where it is not allowed.
  TypePtr joined(const TypePtr& before, const TypePtr& now) {
    if (!before) return now;
    return substitution_.assignable(before, now) ? most_general(before, now) : dyn_type();
  }

  void check_list(Expr& node) {
    TypePtr type;
    for (std::size_t i = 0; i < node.operands.size(); ++i) {
      Expr& element = *node.operands[i];
      check(element);
      type = joined(type, node.optionals[i] ? unwrapped(element) : element.type);
    }
    node.type = list_of(type ? type : new_variable());
  }

  void check_map(Expr& node) {
    TypePtr key_type, value_type;
    for (std::size_t i = 0; i + 1 < node.operands.size(); i += 2) {
      Expr &key = *node.operands[i], &value = *node.operands[i + 1];
      check(key);
      key_type = joined(key_type, key.type);
      check(value);
      value_type = joined(value_type, node.optionals[i / 2] ? unwrapped(value) : value.type);
    }
    if (!key_type) {
      key_type = new_variable();
      value_type = new_variable();
    }
    node.type = map_of(key_type, value_type);
  }

  void check_object(Expr& node) {
    const std::string name(without_dot(node.name));
    const TypePtr object = find_object(name);
    if (!object) {
      node.type = error_type();
      if (const TypePtr* type = environment_.library->find_type(name))
        report(node, "'" + to_text(**type) + "' is not a message type");
      else
        report(node, "undeclared reference to '" + node.name + "' (in container '')");
      return;
    }
    node.name = name;
    node.type = object;
    for (std::size_t i = 0; i < node.operands.size(); ++i) {
      Expr& value = *node.operands[i];
      check(value);
      Expr at;
      at.position = node.field_positions[i];
      const auto field = node.type->fields.find(node.field_names[i]);
      const bool known = node.type->open || field != node.type->fields.end();
      const TypePtr field_type = node.type->open ? dyn_type()
                                 : known         ? field->second
                                                 : error_type();
      const TypePtr type = node.optionals[i] ? unwrapped(value) : value.type;
      // A field that is not there has a type without a name, as far as the original says.
      if (!known || !substitution_.assignable(field_type, type))
        report(at, "expected type of field '" + node.field_names[i] + "' is '" +
                       (known ? to_text(*field_type) : "") + "' but provided type is '" +
                       to_text(*type) + "'");
    }
  }

  void check_comprehension(Expr& node) {
    Expr& range = *node.operands[Expr::kRange];
    Expr& initial = *node.operands[Expr::kInitial];
    check(range);
    check(initial);
    const TypePtr range_type = resolved(range.type);
    const TypePtr accumulated = initial.type;
    const bool two = !node.variable2.empty();
    TypePtr first, second;
    switch (range_type->kind) {
      case Type::Kind::list:
        first = two ? int_type() : range_type->parameters[0];
        second = range_type->parameters[0];
        break;
      case Type::Kind::map:
        first = range_type->parameters[0];
        second = range_type->parameters[1];
        break;
      case Type::Kind::dyn:
      case Type::Kind::error:
      case Type::Kind::parameter:
        substitution_.assignable(dyn_type(), range_type);
        first = second = dyn_type();
        break;
      default:
        report(range, "expression of type '" + to_text(*range_type) +
                          "' cannot be range of a comprehension (must be list, map, or dynamic)");
        first = second = error_type();
    }
    const std::size_t outer = locals_.size();
    locals_.push_back({node.accumulator, accumulated});
    locals_.push_back({node.variable, first});
    if (two) locals_.push_back({node.variable2, second});
    Expr& condition = *node.operands[Expr::kCondition];
    Expr& step = *node.operands[Expr::kStep];
    check(condition);
    assert_type(condition, bool_type());
    check(step);
    assert_type(step, accumulated);
    locals_.resize(outer + 1);
    Expr& result = *node.operands[Expr::kResult];
    check(result);
    locals_.resize(outer);
    node.type = resolved(result.type);
  }
  void assert_type(const Expr& node, const TypePtr& wanted) {
    if (!substitution_.assignable(wanted, node.type)) mismatch(node, wanted, node.type);
  }

  Ast& ast_;
  const Environment& environment_;
  std::vector<SourceError>& errors_;
  Substitution substitution_;
  std::vector<Local> locals_;
  int variables_ = 0;
};

}  // namespace

void check_types(Ast& ast, const Environment& environment, std::vector<SourceError>& errors) {
  Checker(ast, environment, errors).run();
}

}  // namespace keelson::codec::cel
