// A recursive-descent evaluator. As in CEL, && and || absorb an error of one side if the other side
// decides.
#include "sched/plugins/device_expression.h"

#include <cctype>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <variant>

#include "base/text.h"
#include "model/quantity.h"

namespace keelson::sched {
namespace {

using codec::Value;
using model::Quantity;

constexpr int kDepthMax = 64;

struct Operand;
using Map = std::map<std::string, Operand>;
struct Device {};
struct Fail {
  std::string text;
  bool parse = false;  // the expression itself is at fault
};
struct Operand {
  std::variant<Fail, bool, std::int64_t, double, std::string, Quantity, Device,
               std::shared_ptr<Map>>
      value;
  bool failed() const { return std::holds_alternative<Fail>(value); }
};

Operand fail(std::string text) {
  return {Fail{std::move(text), false}};
}
Operand unsupported(std::string text) {
  return {Fail{std::move(text), true}};
}

Operand attribute_value(const Value& attribute) {
  if (attribute.has("bool")) return {attribute["bool"].as_bool()};
  if (attribute.has("int")) return {attribute["int"].as_int()};
  if (attribute.has("string")) return {attribute["string"].str()};
  if (attribute.has("version")) return {attribute["version"].str()};
  return fail("unsupported attribute value");
}

// By domain, then by name. A name without a domain belongs to the driver's.
Operand by_domain(const Value& entries, std::string_view driver, bool capacity) {
  auto domains = std::make_shared<Map>();
  for (const codec::Member& member : entries.members()) {
    const auto slash = member.key().find('/');
    const bool plain = slash == std::string_view::npos;
    const std::string domain(plain ? driver : member.key().substr(0, slash));
    const std::string name(plain ? member.key() : member.key().substr(slash + 1));
    Operand& entry = (*domains)[domain];
    if (!std::holds_alternative<std::shared_ptr<Map>>(entry.value))
      entry.value = std::make_shared<Map>();
    (*std::get<std::shared_ptr<Map>>(entry.value))[name] =
        capacity ? Operand{Quantity::of(member.value["value"])} : attribute_value(member.value);
  }
  return {std::move(domains)};
}

class Evaluator {
 public:
  Evaluator(std::string_view text, std::string_view driver, const Value& device)
      : text_(text), driver_(driver), device_(device) {}

  Operand run() {
    Operand result = either();
    space();
    if (too_deep_) return unsupported("the expression is nested too deeply");
    if (at_ != text_.size()) return unsupported("unexpected text at " + quote(text_.substr(at_)));
    return result;
  }

 private:
  void space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool take(std::string_view token) {
    space();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  std::string name() {
    space();
    const std::size_t start = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_'))
      ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  // `decisive`: the value of one side that settles the matter.
  static Operand logical(const Operand& a, const Operand& b, bool decisive) {
    for (const Operand* side : {&a, &b})
      if (const bool* value = std::get_if<bool>(&side->value); value && *value == decisive)
        return {decisive};
    for (const Operand* side : {&a, &b}) {
      if (side->failed()) return *side;
      if (!std::holds_alternative<bool>(side->value)) return fail("no such overload");
    }
    return {!decisive};
  }

  Operand too_deep() {
    too_deep_ = true;
    return unsupported("");
  }
  // Every way down leads through here or through unary; both count.
  Operand either() {
    if (depth_ >= kDepthMax) return too_deep();
    ++depth_;
    Operand left = both();
    while (take("||")) left = logical(left, both(), true);
    --depth_;
    return left;
  }
  Operand both() {
    Operand left = relation();
    while (take("&&")) left = logical(left, relation(), false);
    return left;
  }

  Operand relation() {
    Operand left = unary();
    while (true) {
      std::string_view op;
      for (const std::string_view candidate : {"==", "!=", "<=", ">=", "<", ">"})
        if (op.empty() && take(candidate)) op = candidate;
      if (op.empty() && take_word("in")) op = "in";
      if (op.empty()) return left;
      const Operand right = unary();
      left = compare(left, op, right);
    }
  }
  bool take_word(std::string_view word) {
    space();
    const std::size_t end = at_ + word.size();
    if (text_.substr(at_, word.size()) != word) return false;
    if (end < text_.size() &&
        (std::isalnum(static_cast<unsigned char>(text_[end])) || text_[end] == '_'))
      return false;
    at_ = end;
    return true;
  }

  static Operand compare(const Operand& a, std::string_view op, const Operand& b) {
    if (a.failed()) return a;
    if (b.failed()) return b;
    if (op == "in") {
      const auto* map = std::get_if<std::shared_ptr<Map>>(&b.value);
      const auto* key = std::get_if<std::string>(&a.value);
      return map && key ? Operand{(*map)->contains(*key)} : fail("no such overload");
    }
    const std::optional<int> order = order_of(a, b);
    if (!order) {
      if (op == "==") return {false};
      if (op == "!=") return {true};
      return fail("no such overload");
    }
    if (op == "==") return {*order == 0};
    if (op == "!=") return {*order != 0};
    if (op == "<") return {*order < 0};
    if (op == "<=") return {*order <= 0};
    if (op == ">") return {*order > 0};
    return {*order >= 0};
  }
  static std::optional<double> number(const Operand& operand) {
    if (const auto* i = std::get_if<std::int64_t>(&operand.value)) return static_cast<double>(*i);
    if (const auto* d = std::get_if<double>(&operand.value)) return *d;
    return std::nullopt;
  }
  // Negative, zero, positive; nullopt if the two do not compare.
  static std::optional<int> order_of(const Operand& a, const Operand& b) {
    const auto sign = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
    if (a.value.index() == b.value.index()) {
      if (const auto* x = std::get_if<std::int64_t>(&a.value))
        return sign(*x, std::get<std::int64_t>(b.value));
      if (const auto* x = std::get_if<std::string>(&a.value))
        return sign(*x, std::get<std::string>(b.value));
      if (const auto* x = std::get_if<bool>(&a.value)) return sign(*x, std::get<bool>(b.value));
      if (const auto* x = std::get_if<Quantity>(&a.value))
        return sign(x->nano(), std::get<Quantity>(b.value).nano());
    }
    const auto x = number(a), y = number(b);
    if (!x || !y) return std::nullopt;
    return sign(*x, *y);
  }

  Operand unary() {
    if (take("!")) {
      if (depth_ >= kDepthMax) return too_deep();
      ++depth_;
      const Operand operand = unary();
      --depth_;
      if (operand.failed()) return operand;
      const bool* value = std::get_if<bool>(&operand.value);
      return value ? Operand{!*value} : fail("no such overload");
    }
    Operand operand = primary();
    while (true) {
      if (take(".")) {
        const std::string member = name();
        operand = take("(") ? call(operand, member) : select(operand, member);
      } else if (take("[")) {
        const Operand key = either();
        if (!take("]")) return unsupported("missing ]");
        operand = index(operand, key);
      } else {
        return operand;
      }
    }
  }

  Operand primary() {
    space();
    if (at_ >= text_.size()) return unsupported("unexpected end of the expression");
    const char c = text_[at_];
    if (c == '\'' || c == '"') return text_literal(c);
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '-') return number_literal();
    if (take("(")) {
      Operand inner = either();
      return take(")") ? inner : unsupported("missing )");
    }
    const std::string word = name();
    if (word == "true" || word == "false") return {word == "true"};
    if (word == "device") return {Device{}};
    if (word == "has" && take("(")) return has_member();
    if (word == "quantity" && take("(")) {
      const Operand argument = either();
      if (!take(")")) return unsupported("missing )");
      const auto* text = std::get_if<std::string>(&argument.value);
      const auto amount = text ? Quantity::parse(*text) : std::nullopt;
      return amount ? Operand{*amount} : fail("quantity: cannot be parsed");
    }
    return unsupported("undeclared reference to " + quote(word));
  }

  Operand text_literal(char delimiter) {
    std::string text;
    for (++at_; at_ < text_.size() && text_[at_] != delimiter; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      text += text_[at_];
    }
    if (at_ == text_.size()) return unsupported("unterminated string");
    ++at_;
    return {std::move(text)};
  }
  Operand number_literal() {
    const std::size_t start = at_++;
    bool fraction = false;
    while (at_ < text_.size() &&
           (std::isdigit(static_cast<unsigned char>(text_[at_])) || text_[at_] == '.')) {
      fraction = fraction || text_[at_] == '.';
      ++at_;
    }
    const std::string text(text_.substr(start, at_ - start));
    if (fraction) return {std::strtod(text.c_str(), nullptr)};
    const auto value = parse_int(text);
    return value ? Operand{*value} : unsupported("not a number: " + quote(text));
  }

  // Only the absence of the last member is forgiven.
  Operand has_member() {
    const Operand operand = either();
    if (!take(")")) return unsupported("missing )");
    if (const auto* failure = std::get_if<Fail>(&operand.value))
      return failure->parse ? operand : Operand{false};
    return {true};
  }

  Operand select(const Operand& operand, const std::string& member) {
    if (operand.failed()) return operand;
    if (std::holds_alternative<Device>(operand.value)) {
      if (member == "driver") return {std::string(driver_)};
      if (member == "attributes") return by_domain(device_["attributes"], driver_, false);
      if (member == "capacity") return by_domain(device_["capacity"], driver_, true);
      if (member == "allowMultipleAllocations")
        return {device_["allowMultipleAllocations"].as_bool()};
      return unsupported("undefined field " + quote(member));
    }
    const auto* map = std::get_if<std::shared_ptr<Map>>(&operand.value);
    if (!map) return fail("no such overload");
    const auto it = (*map)->find(member);
    return it == (*map)->end() ? fail("no such key: " + member) : it->second;
  }
  Operand index(const Operand& operand, const Operand& key) {
    if (operand.failed()) return operand;
    if (key.failed()) return key;
    const auto* map = std::get_if<std::shared_ptr<Map>>(&operand.value);
    const auto* text = std::get_if<std::string>(&key.value);
    if (!map || !text) return fail("no such overload");
    const auto it = (*map)->find(*text);
    if (it != (*map)->end()) return it->second;
    // A domain that the device says nothing about is empty, not missing.
    const bool domain = text->find('.') != std::string::npos;
    return domain ? Operand{std::make_shared<Map>()} : fail("no such key: " + *text);
  }

  Operand call(const Operand& subject, const std::string& function) {
    Operand argument{false};
    if (!take(")")) {
      argument = either();
      if (!take(")")) return unsupported("missing )");
    }
    if (subject.failed()) return subject;
    if (argument.failed()) return argument;
    if (std::holds_alternative<Quantity>(subject.value)) {
      const auto order = order_of(subject, argument);
      if (!order) return fail("no such overload");
      if (function == "compareTo") return {static_cast<std::int64_t>(*order)};
      if (function == "isGreaterThan") return {*order > 0};
      if (function == "isLessThan") return {*order < 0};
    }
    const auto* text = std::get_if<std::string>(&subject.value);
    const auto* part = std::get_if<std::string>(&argument.value);
    if (text && part) {
      if (function == "startsWith") return {text->starts_with(*part)};
      if (function == "endsWith") return {text->ends_with(*part)};
      if (function == "contains") return {text->find(*part) != std::string::npos};
    }
    if (text && function == "lowerAscii") return {to_lower(*text)};
    return unsupported("undeclared reference to " + quote(function));
  }

  std::string_view text_, driver_;
  const Value& device_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool too_deep_ = false;
};

}  // namespace

Result<bool> device_matches(std::string_view expression, std::string_view driver,
                            const Value& device) {
  const Operand result = Evaluator(expression, driver, device).run();
  if (const auto* failure = std::get_if<Fail>(&result.value))
    return Error{.reason = failure->parse ? Reason::bad_request : Reason::internal_error,
                 .message = failure->text};
  if (const bool* matches = std::get_if<bool>(&result.value)) return *matches;
  return Error{.reason = Reason::bad_request, .message = "must evaluate to bool"};
}

}  // namespace keelson::sched
