// The label grammar is read by one scanner and one recursive parser whose errors name the token
// that was found and what was expected, as apimachinery's do.
#include "model/selector.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "model/field_error.h"
#include "model/formats.h"

namespace keelson::model {
namespace {

using Op = SelectorOperator;

enum class Token : std::uint8_t {
  error,
  end,
  close,
  comma,
  bang,
  double_equals,
  equals,
  greater,
  identifier,
  in,
  less,
  not_equals,
  not_in,
  open
};
struct Lexeme {
  Token token = Token::end;
  std::string text = {};
};

Token token_of(std::string_view text) {
  if (text == ")") return Token::close;
  if (text == ",") return Token::comma;
  if (text == "!") return Token::bang;
  if (text == "==") return Token::double_equals;
  if (text == "=") return Token::equals;
  if (text == ">") return Token::greater;
  if (text == "in") return Token::in;
  if (text == "<") return Token::less;
  if (text == "!=") return Token::not_equals;
  if (text == "notin") return Token::not_in;
  if (text == "(") return Token::open;
  return Token::error;
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool is_special(char c) {
  return std::string_view("=!(),><").find(c) != std::string_view::npos;
}

std::vector<Lexeme> lexemes_of(std::string_view text) {
  std::vector<Lexeme> all;
  std::size_t at = 0;
  while (true) {
    while (at < text.size() && is_space(text[at])) ++at;
    if (at == text.size() || text[at] == '\0') break;
    const std::size_t start = at;
    if (is_special(text[at])) {
      // The longest known symbol; a run that starts with none is an error as a whole.
      Lexeme last{Token::error, {}};
      while (at < text.size() && is_special(text[at])) {
        const std::string_view run = text.substr(start, at + 1 - start);
        if (const Token token = token_of(run); token != Token::error)
          last = {token, std::string(run)};
        else if (last.token != Token::error)
          break;
        ++at;
      }
      if (last.token == Token::error)
        last.text =
            "error expected: keyword found '" + std::string(text.substr(start, at - start)) + "'";
      all.push_back(std::move(last));
    } else {
      while (at < text.size() && !is_space(text[at]) && !is_special(text[at])) ++at;
      const std::string_view word = text.substr(start, at - start);
      const Token token = token_of(word);
      all.push_back({token == Token::error ? Token::identifier : token, std::string(word)});
    }
  }
  all.push_back({});
  return all;
}

// What NewRequirement checks.
FieldErrors check(const Requirement& r, const Messages& of_key) {
  FieldErrors errors;
  const Path root = Path::root(), key = root.child("key"), values = root.child("values");
  if (!of_key.empty()) errors.invalid(key, r.key, join(of_key, "; "));
  const auto refuse = [&](std::string_view why) {
    codec::Value list = codec::Value::array();
    for (const std::string& value : r.values) list.push_back(value);
    errors.invalid(values, std::move(list), why);
  };
  switch (r.op) {
    case Op::in:
    case Op::not_in:
      if (r.values.empty()) refuse("for 'in', 'notin' operators, values set can't be empty");
      break;
    case Op::exists:
    case Op::does_not_exist:
      if (!r.values.empty()) refuse("values set must be empty for exists and does not exist");
      break;
    case Op::greater_than:
    case Op::less_than:
      if (r.values.size() != 1) refuse("for 'Gt', 'Lt' operators, exactly one value is required");
      for (std::size_t i = 0; i < r.values.size(); ++i)
        if (!parse_int(r.values[i]))
          errors.invalid(values.index(i), r.values[i],
                         "for 'Gt', 'Lt' operators, the value must be an integer");
      break;
    case Op::equals:
    case Op::not_equals:
      if (r.values.size() != 1) refuse("exact-match compatibility requires one single value");
  }
  for (std::size_t i = 0; i < r.values.size(); ++i)
    if (const Messages messages = label_value_messages(r.values[i]); !messages.empty()) {
      const Path value = values.index(i);
      errors.invalid(value.key(r.key), r.values[i], join(messages, "; "));
    }
  return errors;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : lexemes_(lexemes_of(text)) {}

  // nullopt on an error, which `error` then says.
  std::optional<std::vector<Requirement>> parse() {
    std::vector<Requirement> all;
    while (true) {
      const Lexeme next = peek();
      if (next.token == Token::end) return all;
      if (next.token != Token::identifier && next.token != Token::bang)
        return fail("found '" + next.text + "', expected: !, identifier, or 'end of string'");
      auto r = requirement();
      if (!r) {
        error = "unable to parse requirement: " + error;
        return std::nullopt;
      }
      all.push_back(std::move(*r));
      const Lexeme after = take();
      if (after.token == Token::end) return all;
      if (after.token != Token::comma)
        return fail("found '" + after.text + "', expected: ',' or 'end of string'");
      if (const Lexeme then = peek(); then.token != Token::identifier && then.token != Token::bang)
        return fail("found '" + then.text + "', expected: identifier after ','");
    }
  }

  std::string error;

 private:
  std::nullopt_t fail(std::string text) {
    error = std::move(text);
    return std::nullopt;
  }
  static Lexeme as_value(Lexeme lexeme) {
    if (lexeme.token == Token::in || lexeme.token == Token::not_in)
      lexeme.token = Token::identifier;
    return lexeme;
  }
  // Past the end there is always the end again.
  const Lexeme& raw(std::size_t i) const { return lexemes_[std::min(i, lexemes_.size() - 1)]; }
  Lexeme peek() const { return as_value(raw(at_)); }
  Lexeme take() { return as_value(raw(at_++)); }

  std::optional<Requirement> requirement() {
    Requirement r;
    Lexeme key = take();
    const bool negated = key.token == Token::bang;
    if (negated) key = take();
    if (key.token != Token::identifier)
      return fail("found '" + key.text + "', expected: identifier");
    if (const Messages messages = label_key_messages(key.text); !messages.empty())
      return fail("<nil>: Invalid value: " + quote(key.text) + ": " + join(messages, "; "));
    r.key = key.text;
    if (negated) {
      r.op = Op::does_not_exist;
    } else if (const Token next = peek().token; next == Token::end || next == Token::comma) {
      r.op = Op::exists;
    } else {
      if (!comparison(r)) return std::nullopt;
    }
    // The key is known to be good.
    if (const FieldErrors errors = check(r, {}); !errors.empty()) return fail(errors.text());
    return r;
  }

  bool comparison(Requirement& r) {
    const Lexeme op = raw(at_++);
    switch (op.token) {
      case Token::in: r.op = Op::in; return list(r.values);
      case Token::not_in: r.op = Op::not_in; return list(r.values);
      case Token::equals:
      case Token::double_equals: r.op = Op::equals; break;
      case Token::not_equals: r.op = Op::not_equals; break;
      case Token::greater: r.op = Op::greater_than; break;
      case Token::less: r.op = Op::less_than; break;
      default:
        fail("found '" + op.text + "', expected: in, notin, =, ==, !=, gt, lt");
        return false;
    }
    if (const Token next = peek().token; next == Token::end || next == Token::comma) {
      r.values = {""};
      return true;
    }
    const Lexeme value = take();
    if (value.token != Token::identifier) {
      fail("found '" + value.text + "', expected: identifier");
      return false;
    }
    r.values = {value.text};
    return true;
  }

  bool list(std::vector<std::string>& values) {
    if (const Lexeme open = take(); open.token != Token::open) {
      fail("found '" + open.text + "' expected: '('");
      return false;
    }
    const Lexeme first = peek();
    if (first.token == Token::close) {
      take();
      values = {""};
      return true;
    }
    if (first.token != Token::identifier && first.token != Token::comma) {
      fail("found '" + first.text + "', expected: ',', ')' or identifier");
      return false;
    }
    if (!identifiers(values)) return false;
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    take();
    return true;
  }

  bool identifiers(std::vector<std::string>& values) {
    while (true) {
      const Lexeme lexeme = take();
      if (lexeme.token == Token::identifier) {
        values.push_back(lexeme.text);
        const Lexeme next = peek();
        if (next.token == Token::close) return true;
        if (next.token == Token::comma) continue;
        fail("found '" + next.text + "', expected: ',' or ')'");
        return false;
      }
      if (lexeme.token != Token::comma) {
        fail("found '" + lexeme.text + "', expected: ',', or identifier");
        return false;
      }
      if (values.empty()) values.emplace_back();
      if (const Token next = peek().token; next == Token::close) {
        values.emplace_back();
        return true;
      } else if (next == Token::comma) {
        values.emplace_back();
      }
    }
  }

  std::vector<Lexeme> lexemes_;
  std::size_t at_ = 0;
};

Error bad_selector(std::string message) {
  return Error{Reason::bad_request, std::move(message)};
}

void sort_by_key(std::vector<Requirement>& requirements) {
  std::stable_sort(requirements.begin(), requirements.end(),
                   [](const Requirement& a, const Requirement& b) { return a.key < b.key; });
}

}  // namespace

bool Requirement::matches(const codec::Value& labels) const {
  const codec::Value* value = labels.find(key);
  switch (op) {
    case Op::exists: return value != nullptr;
    case Op::does_not_exist: return value == nullptr;
    case Op::in:
    case Op::equals:
      return value != nullptr &&
             std::find(values.begin(), values.end(), value->as_string()) != values.end();
    case Op::not_in:
    case Op::not_equals:
      return value == nullptr ||
             std::find(values.begin(), values.end(), value->as_string()) == values.end();
    case Op::greater_than:
    case Op::less_than: {
      if (value == nullptr || values.size() != 1) return false;
      const auto have = parse_int(value->as_string()), want = parse_int(values.front());
      if (!have || !want) return false;
      return op == Op::greater_than ? *have > *want : *have < *want;
    }
  }
  return false;
}

LabelSelector LabelSelector::nothing() {
  LabelSelector selector;
  selector.nothing_ = true;
  return selector;
}

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  Parser parser(text);
  auto requirements = parser.parse();
  if (!requirements) return bad_selector(std::move(parser.error));
  LabelSelector selector;
  selector.requirements_ = std::move(*requirements);
  sort_by_key(selector.requirements_);
  return selector;
}

Result<LabelSelector> LabelSelector::of(const codec::Value& value) {
  if (value.is_null()) return nothing();
  LabelSelector selector = of_map(value["matchLabels"]);
  for (const codec::Value& expression : value["matchExpressions"].elements()) {
    Requirement r;
    r.key = expression["key"].str();
    const std::string_view op = expression["operator"].as_string();
    if (op == "In")
      r.op = Op::in;
    else if (op == "NotIn")
      r.op = Op::not_in;
    else if (op == "Exists")
      r.op = Op::exists;
    else if (op == "DoesNotExist")
      r.op = Op::does_not_exist;
    else
      return bad_selector(quote(op) + " is not a valid label selector operator");
    for (const codec::Value& v : expression["values"].elements()) r.values.push_back(v.str());
    std::sort(r.values.begin(), r.values.end());
    selector.requirements_.push_back(std::move(r));
  }
  for (const Requirement& r : selector.requirements_)
    if (const FieldErrors errors = check(r, label_key_messages(r.key)); !errors.empty())
      return bad_selector(errors.text());
  sort_by_key(selector.requirements_);
  return selector;
}

LabelSelector LabelSelector::of_map(const codec::Value& map) {
  LabelSelector selector;
  for (const codec::Member& member : map.members())
    selector.requirements_.push_back({std::string(member.key()), Op::equals, {member.value.str()}});
  return selector;
}

bool LabelSelector::matches(const codec::Value& labels) const {
  if (nothing_) return false;
  return std::all_of(requirements_.begin(), requirements_.end(),
                     [&](const Requirement& r) { return r.matches(labels); });
}

std::string LabelSelector::text() const {
  std::vector<std::string> parts;
  for (const Requirement& r : requirements_) {
    std::string part = r.op == Op::does_not_exist ? '!' + r.key : r.key;
    const bool set = r.op == Op::in || r.op == Op::not_in;
    switch (r.op) {
      case Op::exists:
      case Op::does_not_exist: break;
      case Op::equals: part += '='; break;
      case Op::not_equals: part += "!="; break;
      case Op::in: part += " in ("; break;
      case Op::not_in: part += " notin ("; break;
      case Op::greater_than: part += '>'; break;
      case Op::less_than: part += '<'; break;
    }
    part += join(r.values, ",");
    if (set) part += ')';
    parts.push_back(std::move(part));
  }
  return join(parts, ",");
}

namespace {

std::vector<std::string> field_terms(std::string_view text) {
  std::vector<std::string> terms;
  std::string term;
  bool escaped = false;
  for (const char c : text) {
    if (!escaped && c == ',') {
      terms.push_back(std::move(term));
      term.clear();
      continue;
    }
    escaped = !escaped && c == '\\';
    term += c;
  }
  terms.push_back(std::move(term));
  std::sort(terms.begin(), terms.end());
  return terms;
}

Result<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' || text[i] == '=')
      return bad_selector("invalid field selector: unescaped character in value: " +
                          std::to_string(static_cast<int>(text[i])));
    if (text[i] == '\\') {
      if (++i == text.size())
        return bad_selector("invalid field selector: invalid escape sequence: \\");
      if (std::string_view("\\,=").find(text[i]) == std::string_view::npos)
        return bad_selector(std::string("invalid field selector: invalid escape sequence: \\") +
                            text[i]);
    }
    out += text[i];
  }
  return out;
}

}  // namespace

Result<std::vector<FieldRequirement>> parse_field_selector(std::string_view text) {
  std::vector<FieldRequirement> all;
  for (const std::string& term : field_terms(text)) {
    if (term.empty()) continue;
    const std::size_t equals = term.find('=');
    const std::size_t bang = term.find("!=");
    if (equals == std::string::npos)
      return bad_selector("invalid selector: '" + std::string(text) + "'; can't understand '" +
                          term + "'");
    const bool equal = bang > equals;
    const std::size_t at = equal ? equals : bang;
    const std::size_t length = equal && term.compare(at, 2, "==") != 0 ? 1 : 2;
    TRY(std::string value, unescaped(std::string_view(term).substr(at + length)));
    all.push_back({term.substr(0, at), std::move(value), equal});
  }
  return all;
}

}  // namespace keelson::model
