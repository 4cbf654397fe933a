// Checks of constants, in the order in which cel-go runs its validators.
#include <functional>

#include "codec/cel/checker.h"
#include "codec/cel/format_text.h"
#include "codec/cel/library.h"

namespace keelson::codec::cel {

namespace {

class LiteralCheck {
 public:
  LiteralCheck(const Ast& ast, std::vector<SourceError>& errors) : ast_(ast), errors_(errors) {}

  void run() {
    walk(*ast_.root, false, [&](const Expr& node, bool) { check_conversion(node, "duration"); });
    walk(*ast_.root, false, [&](const Expr& node, bool) { check_conversion(node, "timestamp"); });
    walk(*ast_.root, false, [&](const Expr& node, bool) { check_pattern(node); });
    walk(*ast_.root, false,
         [&](const Expr& node, bool exempt) { check_homogeneous(node, exempt); });
    walk(*ast_.root, false, [&](const Expr& node, bool) { check_format(node); });
  }

 private:
  using Visit = std::function<void(const Expr& node, bool in_format)>;
  void walk(const Expr& node, bool in_format, const Visit& visit) {
    visit(node, in_format);
    const bool inside = in_format || (node.kind == Expr::Kind::call && node.name == "format");
    for (const Expr* operand : node.operands) walk(*operand, inside, visit);
  }
  void report(const Expr& at, std::string message) {
    errors_.push_back({static_cast<std::int64_t>(at.position), std::move(message)});
  }
  // The first argument behind a receiver, if it is a literal.
  static const Expr* literal_argument(const Expr& node, std::string_view function) {
    if (node.kind != Expr::Kind::call || node.name != function) return nullptr;
    const std::size_t first = node.member ? 1 : 0;
    if (node.operands.size() <= first) return nullptr;
    const Expr* argument = node.operands[first];
    return argument->kind == Expr::Kind::literal ? argument : nullptr;
  }

  void check_conversion(const Expr& node, std::string_view function) {
    const Expr* argument = literal_argument(node, function);
    if (argument && convert(argument->value, function).is_error())
      report(*argument, "invalid " + std::string(function) + " argument");
  }
  void check_pattern(const Expr& node) {
    const Expr* argument = literal_argument(node, "matches");
    if (argument && !compile_pattern(argument->value.text()).ok())
      report(*argument, "invalid matches argument");
  }

  static TypePtr element_type(const Expr& element, bool optional) {
    return optional && is_optional(*element.type) ? element.type->parameters[0] : element.type;
  }
  bool differs(const Expr& at, TypePtr& expected, TypePtr actual) {
    if (!expected) {
      expected = std::move(actual);
      return false;
    }
    if (same_type(*expected, *actual)) return false;
    report(at, "expected type '" + to_text(*expected) + "' but found '" + to_text(*actual) + "'");
    return true;
  }
  void check_homogeneous(const Expr& node, bool exempt) {
    if (exempt) return;
    if (node.kind == Expr::Kind::list) {
      TypePtr expected;
      for (std::size_t i = 0; i < node.operands.size(); ++i)
        if (differs(*node.operands[i], expected,
                    element_type(*node.operands[i], node.optionals[i])))
          return;
    }
    if (node.kind == Expr::Kind::map) {
      TypePtr keys, values;
      for (std::size_t i = 0; i + 1 < node.operands.size(); i += 2) {
        differs(*node.operands[i], keys, node.operands[i]->type);
        differs(*node.operands[i + 1], values,
                element_type(*node.operands[i + 1], node.optionals[i / 2]));
      }
    }
  }

  static bool is_one_of(const Type& type, std::initializer_list<Type::Kind> kinds) {
    if (type.kind == Type::Kind::dyn) return true;
    for (const Type::Kind kind : kinds)
      if (type.kind == kind) return true;
    return false;
  }
  // The part that %s cannot print, or null.
  static const Expr* unprintable(const Expr& node) {
    using Kind = Type::Kind;
    if (!is_one_of(*node.type, {Kind::list, Kind::map, Kind::integer, Kind::unsigned_integer,
                                Kind::number, Kind::boolean, Kind::string, Kind::timestamp,
                                Kind::bytes, Kind::duration, Kind::type, Kind::null}))
      return &node;
    if (node.kind == Expr::Kind::list || node.kind == Expr::Kind::map)
      for (const Expr* operand : node.operands)
        if (const Expr* bad = unprintable(*operand)) return bad;
    return nullptr;
  }
  void check_format(const Expr& node) {
    if (node.kind != Expr::Kind::call || node.name != "format" || !node.member ||
        node.operands.size() != 2)
      return;
    const Expr &format = *node.operands[0], &arguments = *node.operands[1];
    if (format.kind != Expr::Kind::literal || !format.value.is_string() ||
        arguments.kind != Expr::Kind::list)
      return;
    const Expr* bad = nullptr;
    const auto fits = [&](std::int64_t index, char clause, std::string& bad_type) {
      using Kind = Type::Kind;
      const Expr& argument = *arguments.operands[static_cast<std::size_t>(index)];
      bad = &argument;
      bool good = false;
      switch (clause) {
        case 's': {
          const Expr* part = unprintable(argument);
          good = part == nullptr;
          if (part) bad = part;
          break;
        }
        case 'd':
        case 'o': good = is_one_of(*argument.type, {Kind::integer, Kind::unsigned_integer}); break;
        case 'f':
        case 'e': good = is_one_of(*argument.type, {Kind::number, Kind::string}); break;
        case 'b':
          good = is_one_of(*argument.type, {Kind::integer, Kind::unsigned_integer, Kind::boolean});
          break;
        default:
          good = is_one_of(*argument.type,
                           {Kind::integer, Kind::unsigned_integer, Kind::string, Kind::bytes});
      }
      bad_type = bad->type->name;
      return good;
    };
    FormatFault fault;
    const auto count = static_cast<std::int64_t>(arguments.operands.size());
    const Result<std::int64_t> taken = cel::check_format(format.value.text(), count, fits, fault);
    if (!taken.ok())
      report(fault.argument >= 0 ? *bad : node, fault.message);
    else if (count > *taken)
      report(node, "too many arguments supplied to string.format (expected " +
                       std::to_string(*taken) + ", got " + std::to_string(count) + ")");
  }

  const Ast& ast_;
  std::vector<SourceError>& errors_;
};

}  // namespace

void check_literals(const Ast& ast, std::vector<SourceError>& errors) {
  LiteralCheck(ast, errors).run();
}

}  // namespace keelson::codec::cel
