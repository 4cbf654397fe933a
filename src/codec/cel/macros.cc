// The macros that Kubernetes enables: has(), the quantifiers and transformations over one and two
// variables, and those of optional values.
#include "codec/cel/parser.h"

namespace keelson::codec::cel {

namespace {

// Builds the nodes of an expansion; all of them stand where the macro's call does.
class Expansion {
 public:
  Expansion(Ast& ast, std::uint32_t position) : ast_(ast), position_(position) {}

  Expr* literal(Datum value) {
    Expr* node = ast_.make(Expr::Kind::literal, position_);
    node->value = std::move(value);
    return node;
  }
  Expr* identifier(std::string_view name) {
    Expr* node = ast_.make(Expr::Kind::identifier, position_);
    node->name = name;
    return node;
  }
  Expr* accumulator() { return identifier(kAccumulator); }
  Expr* call(std::string_view function, std::vector<Expr*> arguments) {
    Expr* node = ast_.make(Expr::Kind::call, position_);
    node->name = function;
    node->operands = std::move(arguments);
    return node;
  }
  Expr* member_call(std::string_view function, Expr* target) {
    Expr* node = call(function, {target});
    node->member = true;
    return node;
  }
  Expr* list(std::vector<Expr*> elements) {
    Expr* node = ast_.make(Expr::Kind::list, position_);
    node->optionals.resize(elements.size());
    node->operands = std::move(elements);
    return node;
  }
  Expr* map() { return ast_.make(Expr::Kind::map, position_); }
  Expr* fold(Expr* range, std::string_view variable, std::string_view variable2,
             std::string_view accumulator, Expr* initial, Expr* condition, Expr* step,
             Expr* result) {
    Expr* node = ast_.make(Expr::Kind::comprehension, position_);
    node->variable = variable;
    node->variable2 = variable2;
    node->accumulator = accumulator;
    node->operands = {range, initial, condition, step, result};
    return node;
  }
  Expr* copy(const Expr& node) { return ast_.copy(node); }

 private:
  Ast& ast_;
  std::uint32_t position_;
};

struct Fault {
  const Expr* at;
  std::string message;
};

using Arguments = std::vector<Expr*>;

enum class Quantifier { all, exists, exists_one };

Expr* quantified(Expansion& make, Quantifier kind, Expr* range, std::string_view variable,
                 std::string_view variable2, Expr* predicate) {
  const auto fold = [&](Expr* initial, Expr* condition, Expr* step, Expr* result) {
    return make.fold(range, variable, variable2, kAccumulator, initial, condition, step, result);
  };
  switch (kind) {
    case Quantifier::all: {
      Expr* initial = make.literal(Datum::boolean(true));
      Expr* condition = make.call("@not_strictly_false", {make.accumulator()});
      Expr* step = make.call("_&&_", {make.accumulator(), predicate});
      return fold(initial, condition, step, make.accumulator());
    }
    case Quantifier::exists: {
      Expr* initial = make.literal(Datum::boolean(false));
      Expr* condition = make.call("@not_strictly_false", {make.call("!_", {make.accumulator()})});
      Expr* step = make.call("_||_", {make.accumulator(), predicate});
      return fold(initial, condition, step, make.accumulator());
    }
    case Quantifier::exists_one: break;
  }
  Expr* more = make.call("_+_", {make.accumulator(), make.literal(Datum::integer(1))});
  Expr* step = make.call("_?_:_", {predicate, more, make.accumulator()});
  return fold(make.literal(Datum::integer(0)), make.literal(Datum::boolean(true)), step,
              make.call("_==_", {make.accumulator(), make.literal(Datum::integer(1))}));
}

// `step` only where `filter` holds; without a filter always.
Expr* filtered(Expansion& make, Expr* filter, Expr* step) {
  return filter ? make.call("_?_:_", {filter, step, make.accumulator()}) : step;
}

Expr* collected(Expansion& make, Expr* range, std::string_view variable, std::string_view variable2,
                Expr* filter, Expr* element) {
  Expr* step = make.call("_+_", {make.accumulator(), make.list({element})});
  return make.fold(range, variable, variable2, kAccumulator, make.list({}),
                   make.literal(Datum::boolean(true)), filtered(make, filter, step),
                   make.accumulator());
}

void check_variable(const Expr& argument, std::string_view message) {
  if (argument.kind != Expr::Kind::identifier) throw Fault{&argument, std::string(message)};
}
void check_accumulator(const Expr& argument) {
  if (argument.name == kAccumulator)
    throw Fault{&argument, "iteration variable overwrites accumulator variable"};
}

// The macros over one variable; null if the name is not one.
Expr* over_one(Expansion& make, std::string_view function, Expr* target,
               const Arguments& arguments) {
  const std::size_t count = arguments.size();
  const bool quantifier = function == "all" || function == "exists" || function == "exists_one";
  const bool transform = function == "map" || function == "filter";
  if (!(quantifier && count == 2) && !(transform && count == 2) &&
      !(function == "map" && count == 3))
    return nullptr;
  const Expr& variable = *arguments[0];
  check_variable(variable,
                 quantifier ? "argument must be a simple name" : "argument is not an identifier");
  check_accumulator(variable);
  if (quantifier) {
    const Quantifier kind = function == "all"      ? Quantifier::all
                            : function == "exists" ? Quantifier::exists
                                                   : Quantifier::exists_one;
    return quantified(make, kind, target, variable.name, {}, arguments[1]);
  }
  if (function == "filter")
    return collected(make, target, variable.name, {}, arguments[1], arguments[0]);
  return collected(make, target, variable.name, {}, count == 3 ? arguments[1] : nullptr,
                   arguments.back());
}

Expr* over_two(Expansion& make, std::string_view function, Expr* target,
               const Arguments& arguments) {
  const std::size_t count = arguments.size();
  const bool quantifier = function == "all" || function == "exists" || function == "existsOne" ||
                          function == "exists_one";
  const bool transform =
      function == "transformList" || function == "transformMap" || function == "transformMapEntry";
  if (!(count == 3 && (quantifier || transform)) && !(count == 4 && transform)) return nullptr;
  const Expr &first = *arguments[0], &second = *arguments[1];
  check_variable(first, "argument must be a simple name");
  check_variable(second, "argument must be a simple name");
  if (first.name == second.name) throw Fault{&second, "duplicate variable name: " + first.name};
  check_accumulator(first);
  check_accumulator(second);
  Expr* filter = count == 4 ? arguments[2] : nullptr;
  Expr* element = arguments.back();
  if (function == "all")
    return quantified(make, Quantifier::all, target, first.name, second.name, element);
  if (function == "exists")
    return quantified(make, Quantifier::exists, target, first.name, second.name, element);
  if (quantifier)
    return quantified(make, Quantifier::exists_one, target, first.name, second.name, element);
  if (function == "transformList")
    return collected(make, target, first.name, second.name, filter, element);
  Expr* step =
      function == "transformMap"
          ? make.call("cel.@mapInsert", {make.accumulator(), make.identifier(first.name), element})
          : make.call("cel.@mapInsert", {make.accumulator(), element});
  return make.fold(target, first.name, second.name, kAccumulator, make.map(),
                   make.literal(Datum::boolean(true)), filtered(make, filter, step),
                   make.accumulator());
}

// target.hasValue() ? optional.of(<variable bound to target.value(): expression>) : optional.none()
Expr* on_optional(Expansion& make, std::string_view function, Expr* target,
                  const Arguments& arguments) {
  const bool flat = function == "optFlatMap";
  if ((function != "optMap" && !flat) || arguments.size() != 2) return nullptr;
  check_variable(*arguments[0],
                 std::string(function) + "() variable name must be a simple identifier");
  const std::string& variable = arguments[0]->name;
  Expr* bound = make.fold(
      make.list({}), "#unused", {}, variable, make.member_call("value", make.copy(*target)),
      make.literal(Datum::boolean(false)), make.identifier(variable), arguments[1]);
  return make.call(
      "_?_:_", {make.member_call("hasValue", target),
                flat ? bound : make.call("optional.of", {bound}), make.call("optional.none", {})});
}

// The list, bound to a variable, sorted by the keys that the expression gives for its elements.
Expr* sorted_by(Expansion& make, std::string_view function, Expr* target,
                const Arguments& arguments) {
  if (function != "sortBy" || arguments.size() != 2) return nullptr;
  if (target->kind == Expr::Kind::literal || target->kind == Expr::Kind::map ||
      target->kind == Expr::Kind::object)
    throw Fault{target,
                "sortBy can only be applied to a list, identifier, comprehension, call or select "
                "expression"};
  check_variable(*arguments[0], "argument is not an identifier");
  check_accumulator(*arguments[0]);
  constexpr std::string_view kInput = "@__sortBy_input__";
  Expr* keys =
      collected(make, make.identifier(kInput), arguments[0]->name, {}, nullptr, arguments[1]);
  Expr* sorted = make.member_call("@sortByAssociatedKeys", make.identifier(kInput));
  sorted->operands.push_back(keys);
  return make.fold(make.list({}), "#unused", {}, kInput, target,
                   make.literal(Datum::boolean(false)), make.identifier(kInput), sorted);
}

}  // namespace

bool expand_macro(Ast& ast, std::string_view function, Expr* target, const Arguments& arguments,
                  std::uint32_t position, Expr*& result, std::vector<SourceError>& errors) {
  Expansion make(ast, position);
  try {
    if (!target) {
      if (function != "has" || arguments.size() != 1) return false;
      const Expr& argument = *arguments[0];
      if (argument.kind != Expr::Kind::select)
        throw Fault{&argument, "invalid argument to has() macro"};
      result = ast.make(Expr::Kind::select, position);
      result->name = argument.name;
      result->test_only = true;
      result->operands = argument.operands;
      return true;
    }
    result = over_one(make, function, target, arguments);
    if (!result) result = over_two(make, function, target, arguments);
    if (!result) result = on_optional(make, function, target, arguments);
    if (!result) result = sorted_by(make, function, target, arguments);
    return result != nullptr;
  } catch (const Fault& fault) {
    errors.push_back({static_cast<std::int64_t>(fault.at->position), fault.message});
    result = ast.make(Expr::Kind::literal, position);
    return true;
  }
}

}  // namespace keelson::codec::cel
