#include "codec/cel/parser.h"

#include <algorithm>
#include <array>
#include <set>

#include "codec/cel/lexer.h"
#include "codec/cel/text.h"
#include "codec/cel/unescape.h"

namespace keelson::codec::cel {

namespace {

using Set = std::uint64_t;  // of tokens

constexpr Set bit(Token token) {
  return Set{1} << static_cast<unsigned>(token);
}
template <typename... Tokens>
constexpr Set set_of(Tokens... tokens) {
  return (bit(tokens) | ... | Set{0});
}

constexpr Set kFirstPrimary =
    set_of(Token::left_bracket, Token::left_brace, Token::left_parenthesis, Token::dot,
           Token::minus, Token::true_word, Token::false_word, Token::null_word, Token::float_number,
           Token::integer, Token::unsigned_integer, Token::string, Token::bytes, Token::identifier);
constexpr Set kFirst = kFirstPrimary | bit(Token::exclamation);
constexpr Set kRelations =
    set_of(Token::less, Token::less_equals, Token::greater, Token::greater_equals, Token::equals,
           Token::not_equals, Token::in);
constexpr Set kProducts = set_of(Token::star, Token::slash, Token::percent);
constexpr Set kSums = set_of(Token::plus, Token::minus);
constexpr Set kNames = set_of(Token::identifier, Token::escaped_identifier);

enum class Rule : std::uint8_t {
  start,
  expression,
  disjunction,
  conjunction,
  relation,
  calculation,
  unary,
  member,
  primary,
  arguments,
  list,
  fields,
  field,
  entries,
  name,
  optional,
  literal,
  count,
};

// Thrown inside a rule and caught by the rule, never seen outside of this file.
struct Mismatch {
  Set expected = 0;
};
struct NoAlternative {
  std::size_t begin = 0, offending = 0;  // tokens
};
struct TooDeep {
  std::string message;
};

bool is_reserved(std::string_view name) {
  static const std::set<std::string_view> reserved = {
      "as",        "break", "const",  "continue", "else", "false", "for",
      "function",  "if",    "import", "in",       "let",  "loop",  "package",
      "namespace", "null",  "return", "true",     "var",  "void",  "while"};
  return reserved.contains(name);
}

std::string_view operator_name(Token token) {
  switch (token) {
    case Token::equals: return "_==_";
    case Token::not_equals: return "_!=_";
    case Token::in: return "@in";
    case Token::less: return "_<_";
    case Token::less_equals: return "_<=_";
    case Token::greater: return "_>_";
    case Token::greater_equals: return "_>=_";
    case Token::plus: return "_+_";
    case Token::minus: return "_-_";
    case Token::star: return "_*_";
    case Token::slash: return "_/_";
    case Token::percent: return "_%_";
    default: return "";
  }
}

class Parser {
 public:
  Parser(const Source& source, Ast& ast, std::vector<SourceError>& errors)
      : source_(source), ast_(ast), errors_(errors), tokens_(scan(source, errors)) {}

  Expr* run() {
    try {
      Expr* root = nullptr;
      within(Rule::start, 0, false, [&] {
        root = expression(bit(Token::end), false);
        match(Token::end);
        return root;
      });
      return root;
    } catch (const TooDeep& too_deep) {
      errors_.push_back({-1, too_deep.message});
      return nullptr;
    }
  }

 private:
  // --- tokens ---
  Token ahead(std::size_t n = 1) const {
    return tokens_[std::min(at_ + n - 1, tokens_.size() - 1)].token;
  }
  bool ahead_in(Set set, std::size_t n = 1) const { return (bit(ahead(n)) & set) != 0; }
  std::uint32_t place() const { return tokens_[at_].begin; }
  std::string text_of(std::size_t token) const {
    return to_utf8(source_.points(), tokens_[token].begin, tokens_[token].end);
  }
  std::string shown(std::size_t token) const {
    const std::string text = tokens_[token].token == Token::end ? "<EOF>" : text_of(token);
    return "'" + escape_space(text) + "'";
  }
  void consume() {
    if (at_ + 1 < tokens_.size()) ++at_;
  }

  // --- ANTLR's error strategy ---
  struct Frame {
    Rule rule;
    Set follow;    // what may come next in the caller
    bool may_end;  // the caller's rule may end there
  };

  static std::string list_of(Set expected) {
    std::string text;
    int count = 0;
    for (unsigned i = 0; i <= static_cast<unsigned>(Token::escaped_identifier); ++i) {
      if ((expected & Set{1} << i) == 0) continue;
      text += (count++ > 0 ? ", " : "") + std::string(token_name(static_cast<Token>(i)));
    }
    return count == 1 ? text : "{" + text + "}";
  }
  void syntax_error(std::size_t token, const std::string& message) {
    errors_.push_back(
        {static_cast<std::int64_t>(tokens_[token].begin), "Syntax error: " + message});
  }
  // What may follow the whole rule, through all callers that may end.
  Set follow_in_context() const {
    Set set = 0;
    for (std::size_t i = frames_.size(); i-- > 0;) {
      set |= frames_[i].follow;
      if (!frames_[i].may_end) return set;
    }
    return set | bit(Token::end);
  }
  void unwanted(Set expected) {
    if (recovering_) return;
    recovering_ = true;
    syntax_error(at_, "extraneous input " + shown(at_) + " expecting " + list_of(expected));
  }
  bool delete_one(Set expected) {
    if (!ahead_in(expected, 2) || ahead() == Token::end) return false;
    unwanted(expected);
    consume();
    recovering_ = false;
    return true;
  }
  // Before a decision among alternatives that begin with one of `expected`.
  void sync(Set expected) {
    if (ahead_in(expected) || delete_one(expected)) return;
    throw Mismatch{expected};
  }
  // `then`: what may follow the token in its rule; `rule_ends`: the rule may end behind it.
  std::size_t match(Token token, Set then = 0, bool rule_ends = true) {
    if (ahead() == token) {
      recovering_ = false;
      const std::size_t matched = at_;
      consume();
      return matched;
    }
    const Set expected = bit(token);
    if (delete_one(expected)) {
      const std::size_t matched = at_;
      consume();
      return matched;
    }
    if (ahead_in(then | (rule_ends ? follow_in_context() : 0))) {
      if (!recovering_) {
        recovering_ = true;
        syntax_error(at_, "missing " + list_of(expected) + " at " + shown(at_));
      }
      return at_;
    }
    throw Mismatch{expected};
  }
  void report(const Mismatch& mismatch) {
    if (recovering_) return;
    recovering_ = true;
    syntax_error(at_,
                 "mismatched input " + shown(at_) + " expecting " + list_of(mismatch.expected));
  }
  void report(const NoAlternative& none) {
    if (recovering_) return;
    recovering_ = true;
    const Token last = tokens_[none.offending].token;
    const std::size_t end = last == Token::end ? none.offending - 1 : none.offending;
    std::string input =
        tokens_[none.begin].token == Token::end
            ? "<EOF>"
            : to_utf8(source_.points(), tokens_[none.begin].begin,
                      last == Token::end ? source_.points().size() : tokens_[end].end);
    if (input == ".true" || input == ".false" || input == ".null") {
      syntax_error(none.offending,
                   "mismatched input '" + input.substr(1) + "' expecting IDENTIFIER");
      return;
    }
    syntax_error(none.offending, "no viable alternative at input '" + escape_space(input) + "'");
  }
  void recover() {
    const Rule rule = frames_.back().rule;
    if (last_error_at_ == at_ && last_error_rules_.contains(rule)) consume();
    if (last_error_at_ != at_) last_error_rules_.clear();
    last_error_at_ = at_;
    last_error_rules_.insert(rule);
    Set set = bit(Token::end);
    for (const Frame& frame : frames_) set |= frame.follow;
    while (!ahead_in(set)) consume();
  }

  void deepen(Rule rule) {
    if (++depth_[static_cast<std::size_t>(rule)] > kRecursionMax)
      throw TooDeep{"expression recursion limit exceeded: " + std::to_string(kRecursionMax)};
  }

  // Runs a rule's body; a fault inside ends the rule, not the parse.
  template <typename Body>
  Expr* within(Rule rule, Set follow, bool may_end, const Body& body) {
    int& depth = depth_[static_cast<std::size_t>(rule)];
    const int before = depth;
    deepen(rule);
    frames_.push_back({rule, follow, may_end});
    Expr* result = nullptr;
    try {
      result = body();
    } catch (const Mismatch& mismatch) {
      report(mismatch);
      recover();
    } catch (const NoAlternative& none) {
      report(none);
      recover();
    }
    frames_.pop_back();
    depth = before;
    return result ? result : ast_.make(Expr::Kind::literal, place());
  }

  // --- the grammar ---
  Expr* expression(Set follow, bool may_end) {
    return within(Rule::expression, follow, may_end, [&]() -> Expr* {
      Expr* condition = disjunction(bit(Token::question), true);
      if (ahead() != Token::question) return condition;
      const std::uint32_t position = place();
      match(Token::question, kFirst, false);
      Expr* yes = disjunction(bit(Token::colon), false);
      match(Token::colon, kFirst, false);
      Expr* no = expression(0, true);
      return call("_?_:_", position, {condition, yes, no});
    });
  }

  Expr* disjunction(Set follow, bool may_end) {
    return within(Rule::disjunction, follow, may_end, [&] {
      return chain(Token::logical_or, "_||_",
                   [&] { return conjunction(bit(Token::logical_or), true); });
    });
  }
  Expr* conjunction(Set follow, bool may_end) {
    return within(Rule::conjunction, follow, may_end, [&] {
      return chain(Token::logical_and, "_&&_",
                   [&] { return relation(bit(Token::logical_and), true); });
    });
  }
  template <typename Next>
  Expr* chain(Token separator, std::string_view function, const Next& next) {
    std::vector<Expr*> terms = {next()};
    std::vector<std::uint32_t> positions;
    while (ahead() == separator) {
      positions.push_back(place());
      match(separator, kFirst, false);
      terms.push_back(next());
    }
    return balanced(function, terms, positions, 0, terms.size());
  }
  // A long chain becomes a flat tree.
  Expr* balanced(std::string_view function, const std::vector<Expr*>& terms,
                 const std::vector<std::uint32_t>& positions, std::size_t begin, std::size_t end) {
    if (end - begin == 1) return terms[begin];
    const std::size_t middle = begin + (end - begin + 1) / 2;
    return call(function, positions[middle - 1],
                {balanced(function, terms, positions, begin, middle),
                 balanced(function, terms, positions, middle, end)});
  }

  Expr* relation(Set follow, bool may_end) {
    return within(Rule::relation, follow, may_end, [&] {
      Expr* left = calculation(0, kRelations, true);
      while (ahead_in(kRelations)) {
        deepen(Rule::relation);
        const Token token = ahead();
        const std::uint32_t position = place();
        match(token, kFirst, false);
        // The right side is a relation that binds tighter: a calculation.
        Expr* right = within(Rule::relation, kRelations, true,
                             [&] { return calculation(0, kRelations, true); });
        left = call(operator_name(token), position, {left, right});
      }
      return left;
    });
  }

  // `level`: 0 sums and products, 2 products, 3 none.
  Expr* calculation(int level, Set follow, bool may_end) {
    return within(Rule::calculation, follow, may_end, [&] {
      Expr* left = unary(kProducts | kSums, true);
      while ((level < 3 && ahead_in(kProducts)) || (level < 2 && ahead_in(kSums))) {
        deepen(Rule::calculation);
        const Token token = ahead();
        const std::uint32_t position = place();
        const int next = ahead_in(kProducts) ? 3 : 2;
        match(token, kFirst, false);
        Expr* right = calculation(next, kProducts | kSums, true);
        left = call(operator_name(token), position, {left, right});
      }
      return left;
    });
  }

  Expr* unary(Set follow, bool may_end) {
    return within(Rule::unary, follow, may_end, [&]() -> Expr* {
      sync(kFirst);
      const std::uint32_t position = place();
      if (ahead() == Token::exclamation) {
        int count = 0;
        for (; ahead() == Token::exclamation; ++count) {
          match(Token::exclamation, kFirst, false);
          if (!ahead_in(kFirst)) unwanted(kFirst);
        }
        Expr* operand = member(0, true);
        return count % 2 == 0 ? operand : call("!_", position, {operand});
      }
      if (ahead() != Token::minus) return member(0, true);
      if (ahead_in(set_of(Token::integer, Token::float_number), 2)) return member(0, true);
      if (!ahead_in(kFirstPrimary, 2)) throw NoAlternative{at_, at_ + 1};
      int count = 0;
      for (; ahead() == Token::minus; ++count) match(Token::minus, kFirst, false);
      Expr* operand = member(0, true);
      return count % 2 == 0 ? operand : call("-_", position, {operand});
    });
  }

  Expr* member(Set follow, bool may_end) {
    return within(Rule::member, follow, may_end, [&]() -> Expr* {
      constexpr Set kNext = set_of(Token::dot, Token::left_bracket);
      Expr* operand = primary(kNext, true);
      while (ahead_in(kNext)) {
        deepen(Rule::member);
        const std::uint32_t position = place();
        if (ahead() == Token::left_bracket) {
          operand = index(operand, position);
        } else if (ahead(2) == Token::identifier && ahead(3) == Token::left_parenthesis) {
          match(Token::dot);
          const std::string function = text_of(match(Token::identifier));
          const std::uint32_t open = place();
          std::vector<Expr*> arguments = call_arguments();
          operand = member_call(function, operand, std::move(arguments), open);
        } else if (ahead(2) == Token::question || ahead_in(kNames, 2)) {
          operand = select(operand, position);
        } else {
          throw NoAlternative{at_, std::min(at_ + 1, tokens_.size() - 1)};
        }
      }
      return operand;
    });
  }

  Expr* index(Expr* operand, std::uint32_t position) {
    match(Token::left_bracket, kFirst | bit(Token::question), false);
    sync(kFirst | bit(Token::question));
    const bool optional = ahead() == Token::question;
    if (optional) match(Token::question, kFirst, false);
    Expr* key = expression(bit(Token::right_bracket), false);
    match(Token::right_bracket, set_of(Token::dot, Token::left_bracket));
    return call(optional ? "_[?_]" : "_[_]", position, {operand, key});
  }

  Expr* select(Expr* operand, std::uint32_t position) {
    match(Token::dot, kNames | bit(Token::question), false);
    const bool optional = ahead() == Token::question;
    if (optional) match(Token::question, kNames, false);
    const std::uint32_t name_position = place();
    std::string name;
    field_name(0, name);
    if (optional) {
      Expr* text = ast_.make(Expr::Kind::literal, name_position);
      text->value = Datum::string(name);
      return call("_?._", position, {operand, text});
    }
    Expr* node = ast_.make(Expr::Kind::select, position);
    node->name = std::move(name);
    node->operands = {operand};
    return node;
  }

  void field_name(Set follow, std::string& name) {
    within(Rule::name, follow, follow == 0, [&]() -> Expr* {
      sync(kNames);
      const bool escaped = ahead() == Token::escaped_identifier;
      const std::uint32_t position = place();
      name = text_of(match(ahead()));
      if (escaped)
        errors_.push_back({static_cast<std::int64_t>(position), "unsupported syntax: '`'"});
      return nullptr;
    });
  }

  std::vector<Expr*> call_arguments() {
    std::vector<Expr*> arguments;
    match(Token::left_parenthesis, kFirst | bit(Token::right_parenthesis), false);
    sync(kFirst | bit(Token::right_parenthesis));
    if (ahead() != Token::right_parenthesis) {
      within(Rule::arguments, bit(Token::right_parenthesis), false, [&]() -> Expr* {
        arguments.push_back(expression(bit(Token::comma), true));
        while (ahead() == Token::comma) {
          match(Token::comma, kFirst, false);
          arguments.push_back(expression(bit(Token::comma), true));
        }
        return nullptr;
      });
    }
    match(Token::right_parenthesis, set_of(Token::dot, Token::left_bracket));
    return arguments;
  }

  Expr* primary(Set follow, bool may_end) {
    return within(Rule::primary, follow, may_end, [&]() -> Expr* {
      sync(kFirstPrimary);
      switch (ahead()) {
        case Token::left_parenthesis: {
          match(Token::left_parenthesis, kFirst, false);
          Expr* inner = expression(bit(Token::right_parenthesis), false);
          match(Token::right_parenthesis);
          return inner;
        }
        case Token::left_bracket: return list();
        case Token::left_brace: return map();
        case Token::dot:
        case Token::identifier: return named();
        default: return literal();
      }
    });
  }

  Expr* named() {
    const bool leading_dot = ahead() == Token::dot;
    const std::size_t first = leading_dot ? 2 : 1;
    if (leading_dot && ahead(2) != Token::identifier)
      throw NoAlternative{at_, std::min(at_ + 1, tokens_.size() - 1)};
    // A chain of names up to a brace makes an object.
    std::size_t n = first + 1;
    while (ahead(n) == Token::dot && ahead(n + 1) == Token::identifier) n += 2;
    if (ahead(n) == Token::left_brace) return object(leading_dot);
    if (leading_dot) match(Token::dot);
    const std::uint32_t position = place();
    const std::uint32_t start = leading_dot ? tokens_[at_ - 1].begin : position;
    std::string name = text_of(match(Token::identifier));
    if (is_reserved(name)) {
      errors_.push_back({static_cast<std::int64_t>(start), "reserved identifier: " + name});
      if (ahead() == Token::left_parenthesis) call_arguments();
      return nullptr;
    }
    if (leading_dot) name.insert(name.begin(), '.');
    if (ahead() == Token::left_parenthesis) {
      const std::uint32_t open = place();
      std::vector<Expr*> arguments = call_arguments();
      return call(name, open, std::move(arguments));
    }
    Expr* node = ast_.make(Expr::Kind::identifier, position);
    node->name = std::move(name);
    return node;
  }

  Expr* object(bool leading_dot) {
    std::string name;
    if (leading_dot) match(Token::dot);
    if (leading_dot) name = ".";
    name += text_of(match(Token::identifier));
    while (ahead() == Token::dot) {
      match(Token::dot);
      name += "." + text_of(match(Token::identifier));
    }
    Expr* node = ast_.make(Expr::Kind::object, place());
    node->name = std::move(name);
    constexpr Set kField = kNames | bit(Token::question);
    constexpr Set kEnd = set_of(Token::comma, Token::right_brace);
    match(Token::left_brace, kField | kEnd, false);
    sync(kField | kEnd);
    if (ahead_in(kField)) {
      within(Rule::fields, kEnd, false, [&]() -> Expr* {
        while (true) {
          field(*node);
          if (ahead() != Token::comma || !ahead_in(kField, 2)) return nullptr;
          match(Token::comma);
        }
      });
    }
    end_of_collection(Token::right_brace);
    return node;
  }
  void field(Expr& node) {
    bool optional = false;
    std::string name;
    within(Rule::field, bit(Token::colon), false, [&]() -> Expr* {
      sync(kNames | bit(Token::question));
      optional = ahead() == Token::question;
      if (optional) match(Token::question, kNames, false);
      field_name(0, name);
      return nullptr;
    });
    const std::uint32_t colon = place();
    match(Token::colon, kFirst, false);
    Expr* value = expression(bit(Token::comma), true);
    node.field_names.push_back(std::move(name));
    node.field_positions.push_back(colon);
    node.operands.push_back(value);
    node.optionals.push_back(optional);
  }
  // [','] and the closing token.
  void end_of_collection(Token close) {
    sync(bit(Token::comma) | bit(close));
    if (ahead() == Token::comma) match(Token::comma, bit(close), false);
    match(close);
  }

  Expr* optional_expression(Set follow, bool may_end, bool& optional) {
    return within(Rule::optional, follow, may_end, [&] {
      sync(kFirst | bit(Token::question));
      optional = ahead() == Token::question;
      if (optional) match(Token::question, kFirst, false);
      return expression(0, true);
    });
  }

  Expr* list() {
    Expr* node = ast_.make(Expr::Kind::list, place());
    constexpr Set kElement = kFirst | bit(Token::question);
    constexpr Set kEnd = set_of(Token::comma, Token::right_bracket);
    match(Token::left_bracket, kElement | kEnd, false);
    sync(kElement | kEnd);
    if (ahead_in(kElement)) {
      within(Rule::list, kEnd, false, [&]() -> Expr* {
        while (true) {
          bool optional = false;
          node->operands.push_back(optional_expression(bit(Token::comma), true, optional));
          node->optionals.push_back(optional);
          if (ahead() != Token::comma || !ahead_in(kElement, 2)) return nullptr;
          match(Token::comma);
        }
      });
    }
    end_of_collection(Token::right_bracket);
    return node;
  }

  Expr* map() {
    Expr* node = ast_.make(Expr::Kind::map, place());
    constexpr Set kElement = kFirst | bit(Token::question);
    constexpr Set kEnd = set_of(Token::comma, Token::right_brace);
    match(Token::left_brace, kElement | kEnd, false);
    sync(kElement | kEnd);
    if (ahead_in(kElement)) {
      within(Rule::entries, kEnd, false, [&]() -> Expr* {
        while (true) {
          bool optional = false;
          Expr* key = optional_expression(bit(Token::colon), false, optional);
          node->field_positions.push_back(place());
          match(Token::colon, kFirst, false);
          Expr* value = expression(bit(Token::comma), true);
          node->operands.push_back(key);
          node->operands.push_back(value);
          node->optionals.push_back(optional);
          if (ahead() != Token::comma || !ahead_in(kElement, 2)) return nullptr;
          match(Token::comma);
        }
      });
    }
    end_of_collection(Token::right_brace);
    return node;
  }

  Expr* literal() {
    const std::uint32_t position = place();
    bool negative = false;
    if (ahead() == Token::minus) {
      match(Token::minus);
      negative = true;
      if (!ahead_in(set_of(Token::integer, Token::float_number)))
        throw Mismatch{set_of(Token::integer, Token::float_number)};
    }
    const Token token = ahead();
    const std::string text = text_of(match(token));
    Expr* node = ast_.make(Expr::Kind::literal, position);
    const auto bad = [&](const std::string& message) {
      errors_.push_back({static_cast<std::int64_t>(position), message});
    };
    switch (token) {
      case Token::integer: {
        const bool hex = text.starts_with("0x");
        const auto value =
            parse_integer((negative ? "-" : "") + text.substr(hex ? 2 : 0), hex ? 16 : 10);
        if (!value) bad("invalid int literal");
        node->value = Datum::integer(value.value_or(0));
        break;
      }
      case Token::unsigned_integer: {
        const bool hex = text.starts_with("0x");
        const auto value = parse_unsigned(text.substr(hex ? 2 : 0, text.size() - 1 - (hex ? 2 : 0)),
                                          hex ? 16 : 10);
        if (!value) bad("invalid uint literal");
        node->value = Datum::unsigned_integer(value.value_or(0));
        break;
      }
      case Token::float_number: {
        const auto value = parse_double((negative ? "-" : "") + text);
        if (!value) bad("invalid double literal");
        node->value = Datum::number(value.value_or(0));
        break;
      }
      case Token::string:
      case Token::bytes: {
        const bool bytes = token == Token::bytes;
        const Result<std::string> value = unescape(bytes ? text.substr(1) : text, bytes);
        if (!value.ok()) bad(value.error().message);
        if (value.ok()) node->value = bytes ? Datum::bytes(*value) : Datum::string(*value);
        break;
      }
      case Token::true_word: node->value = Datum::boolean(true); break;
      case Token::false_word: node->value = Datum::boolean(false); break;
      default: node->value = Datum::null(); break;
    }
    return node;
  }

  Expr* call(std::string_view function, std::uint32_t position, std::vector<Expr*> arguments) {
    Expr* expanded = nullptr;
    if (expand_macro(ast_, function, nullptr, arguments, position, expanded, errors_))
      return expanded;
    Expr* node = ast_.make(Expr::Kind::call, position);
    node->name = function;
    node->operands = std::move(arguments);
    return node;
  }
  Expr* member_call(std::string_view function, Expr* target, std::vector<Expr*> arguments,
                    std::uint32_t position) {
    Expr* expanded = nullptr;
    if (expand_macro(ast_, function, target, arguments, position, expanded, errors_))
      return expanded;
    Expr* node = ast_.make(Expr::Kind::call, position);
    node->name = function;
    node->member = true;
    node->operands = std::move(arguments);
    node->operands.insert(node->operands.begin(), target);
    return node;
  }

  const Source& source_;
  Ast& ast_;
  std::vector<SourceError>& errors_;
  std::vector<Lexeme> tokens_;
  std::size_t at_ = 0;
  std::vector<Frame> frames_;
  std::array<int, static_cast<std::size_t>(Rule::count)> depth_ = {};
  bool recovering_ = false;
  std::size_t last_error_at_ = SIZE_MAX;
  std::set<Rule> last_error_rules_;
};

}  // namespace

void parse(const Source& source, Ast& ast, std::vector<SourceError>& errors) {
  if (source.points().size() > kExpressionPointsMax) {
    errors.push_back({-1, "expression code point size exceeds limit: size: " +
                              std::to_string(source.points().size()) + ", limit " +
                              std::to_string(kExpressionPointsMax)});
    return;
  }
  Expr* root = Parser(source, ast, errors).run();
  if (errors.empty()) ast.root = root;
}

}  // namespace keelson::codec::cel
