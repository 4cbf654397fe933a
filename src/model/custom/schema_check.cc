#include "model/custom/schema_check.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/text.h"
#include "codec/go_text.h"
#include "codec/json.h"
#include "model/custom/string_formats.h"

namespace keelson::model {
namespace {

using codec::Value;
using Type = FieldError::Type;

// Compiled once; the schemas of a server hold a few thousand at most.
const RE2& compiled(std::string_view pattern) {
  static std::map<std::string, std::unique_ptr<RE2>, std::less<>> cache;
  constexpr std::size_t patterns_max = 20'000;
  if (const auto found = cache.find(pattern); found != cache.end()) return *found->second;
  if (cache.size() >= patterns_max) cache.clear();
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(64 << 20);
  auto made = std::make_unique<RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  return *cache.emplace(pattern, std::move(made)).first->second;
}

std::string pattern_problem(const RE2& pattern) {
  static const std::map<RE2::ErrorCode, std::string_view> words = {
      {RE2::ErrorBadEscape, "invalid escape sequence"},
      {RE2::ErrorBadCharClass, "invalid character class"},
      {RE2::ErrorBadCharRange, "invalid character class range"},
      {RE2::ErrorMissingBracket, "missing closing ]"},
      {RE2::ErrorMissingParen, "missing closing )"},
      {RE2::ErrorUnexpectedParen, "unexpected )"},
      {RE2::ErrorTrailingBackslash, "trailing backslash at end of expression"},
      {RE2::ErrorRepeatArgument, "missing argument to repetition operator"},
      {RE2::ErrorRepeatSize, "invalid repeat count"},
      {RE2::ErrorRepeatOp, "invalid nested repetition operator"},
      {RE2::ErrorBadPerlOp, "invalid or unsupported Perl syntax"},
      {RE2::ErrorBadUTF8, "invalid UTF-8"},
      {RE2::ErrorBadNamedCapture, "invalid named capture"},
      {RE2::ErrorPatternTooLarge, "expression too large"}};
  const auto found = words.find(pattern.error_code());
  std::string text = "error parsing regexp: ";
  text += found == words.end() ? std::string_view("internal error") : found->second;
  return text + ": `" + pattern.error_arg() + "`";
}

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// swag.IsFloat64AJSONInteger.
bool is_whole(double number) {
  constexpr double whole_max = 9007199254740991.0;
  if (!std::isfinite(number) || number < -whole_max || number > whole_max) return false;
  const double cut = std::trunc(number), difference = std::fabs(number - cut);
  return number == cut || difference / (std::fabs(number) + std::fabs(cut)) < 1e-9;
}

// A place below the value that is checked; text is made only when a fault needs it.
struct Place {
  const Place* parent = nullptr;
  enum class Step : std::uint8_t { root, member, dotted, item } step = Step::root;
  std::string_view name;
  std::size_t index = 0;

  std::string text() const {
    if (step == Step::root) return {};
    std::string out = parent->text();
    if (step == Step::item) return out + '[' + std::to_string(index) + ']';
    if (step == Step::dotted || !out.empty()) out += '.';
    return out.append(name);
  }
  // Absent members are named with a dot even at the root.
  std::string text_of(std::string_view member) const { return text() + '.' + std::string(member); }
};

struct Fault {
  Type type = Type::invalid;
  std::string place;  // empty: of no field
  Value value = "";
  std::string message;                      // what makes a fault the same as another
  std::vector<std::string> supported = {};  // of not_supported
  std::int64_t limit = 0;                   // of too_long, too_many
};

// What one schema says of one value. Of several branches that fail, the one with most matches is
// shown.
struct Outcome {
  std::vector<Fault> faults;
  int matches = 0;

  bool ok() const { return faults.empty(); }
  void add(Fault fault) {
    for (const Fault& one : faults)
      if (one.message == fault.message) return;
    faults.push_back(std::move(fault));
  }
  void add_text(std::string text) {
    Fault fault;
    fault.message = std::move(text);
    add(std::move(fault));
  }
  void merge(Outcome other) {
    for (Fault& fault : other.faults) add(std::move(fault));
    matches += other.matches;
  }
};

using Change = std::optional<Correlation>;

class Checker {
 public:
  Outcome check(const Value& schema, const Value& value, const Place& at, const Change& change) {
    Outcome out;
    if (value.is_null()) {
      out.merge(check_type(schema, value, at));
      check_enum(schema, value, at, out);
      return out;
    }
    const auto run = [&](auto&& step) {
      Outcome part;
      step(part);
      out.merge(std::move(part));
      ++out.matches;
    };
    const std::string format = format_of(schema);
    if (!schema["type"].as_string().empty() || schema["x-kubernetes-int-or-string"].as_bool() ||
        !format.empty()) {
      out.merge(check_type(schema, value, at));
      ++out.matches;
    }
    run([&](Outcome& part) { check_junctors(schema, value, at, change, part); });
    if (value.is_string()) {
      run([&](Outcome& part) { check_string(schema, value, at, part); });
      if (is_known_format(format))
        run([&](Outcome& part) { check_format(format, value, at, part); });
    }
    if (value.is_number()) run([&](Outcome& part) { check_number(schema, value, at, part); });
    if (value.is_array()) run([&](Outcome& part) { check_list(schema, value, at, change, part); });
    run([&](Outcome& part) { check_enum(schema, value, at, part); });
    if (value.is_object())
      run([&](Outcome& part) { check_object(schema, value, at, change, part); });
    ++out.matches;
    return out;
  }

  // A value that was there before keeps its faults as long as it is not changed.
  Outcome check_changed(const Value& schema, const Value& value, const Place& at,
                        const Change& change) {
    Outcome out = check(schema, value, at, change);
    if (!out.ok() && change && change->same()) out.faults.clear();
    return out;
  }

 private:
  static Fault fault(Type type, const Place& at, Value value, std::string message) {
    Fault out;
    out.type = type;
    out.place = at.text();
    out.value = std::move(value);
    out.message = out.place + " in body " + message;
    return out;
  }
  static void refuse(Outcome& out, const Place& at, Value value, std::string message) {
    out.add(fault(Type::invalid, at, std::move(value), std::move(message)));
  }

  // Formats that the type does not have are ignored.
  static std::string format_of(const Value& schema) {
    const std::string_view format = schema["format"].as_string(), type = schema["type"].as_string();
    if (format.empty() || schema["x-kubernetes-int-or-string"].as_bool()) return {};
    const bool known = type.empty() || type == "string" ? is_known_format(format)
                       : type == "integer"              ? format == "int32" || format == "int64"
                       : type == "number"               ? format == "float" || format == "double"
                                                        : false;
    return known ? std::string(format) : std::string();
  }

  static std::string_view json_type(const Value& value) {
    switch (value.kind()) {
      case Value::Kind::boolean: return "boolean";
      case Value::Kind::integer: return "integer";
      case Value::Kind::number: return "number";
      case Value::Kind::string: return "string";
      case Value::Kind::array: return "array";
      case Value::Kind::object: return "object";
      case Value::Kind::null: break;
    }
    return "null";
  }

  static Outcome check_type(const Value& schema, const Value& value, const Place& at) {
    const bool either = schema["x-kubernetes-int-or-string"].as_bool();
    const std::string wanted = either ? "integer,string" : schema["type"].str();
    const auto wants = [&](std::string_view type) {
      return either ? type == "integer" || type == "string" : wanted == type;
    };
    const std::string_view type = json_type(value);
    const auto mismatch = [&](const std::string& of, std::string_view is) {
      Outcome out;
      out.add(fault(Type::type_invalid, at, is, "must be of type " + of + ": " + quote(is)));
      return out;
    };
    Outcome out;
    ++out.matches;
    if (value.is_null()) {
      if (!wanted.empty() && !wants("null") && !schema["nullable"].as_bool())
        return mismatch(wanted, type);
      return out;
    }
    const std::string format = format_of(schema);
    const bool whole =
        value.kind() == Value::Kind::number && is_whole(value.as_double()) && wants("integer");
    const bool fits = wants(type) || whole || (value.is_integer() && wants("number"));
    const bool flat = value.is_string() || value.is_array();
    const std::string_view is_format = value.is_integer()  ? "int64"
                                       : value.is_number() ? "float64"
                                                           : "";
    if (!flat && !format.empty() && !fits && is_format != format)
      return mismatch(format, is_format);
    if (!wants("number") && !wants("integer") && !format.empty() && flat) return out;
    if (!fits) return mismatch(wanted, type);
    return out;
  }

  static void check_enum(const Value& schema, const Value& value, const Place& at, Outcome& out) {
    const Value& list = schema["enum"];
    if (list.empty()) return;
    for (const Value& one : list.elements()) {
      if (one.is_null()) continue;
      if (value == one) return;
      // A fraction is cut to compare it with a whole number.
      if (one.is_integer() && value.kind() == Value::Kind::number && value.as_int() == one.as_int())
        return;
    }
    Fault found = fault(Type::not_supported, at, value, "should be one of " + codec::go_text(list));
    for (const Value& one : list.elements())
      found.supported.push_back(one.is_string() ? one.str() : codec::to_json(one));
    out.add(std::move(found));
  }

  static void check_string(const Value& schema, const Value& value, const Place& at, Outcome& out) {
    const std::string_view text = value.as_string();
    const auto length = static_cast<std::int64_t>(characters_in(text));
    if (const Value& most = schema["maxLength"]; !most.is_null() && length > most.as_int()) {
      Fault found = fault(Type::too_long, at, value,
                          "should be at most " + std::to_string(most.as_int()) + " chars long");
      found.limit = most.as_int();
      return out.add(std::move(found));
    }
    if (const Value& least = schema["minLength"]; !least.is_null() && length < least.as_int())
      return refuse(out, at, value,
                    "should be at least " + std::to_string(least.as_int()) + " chars long");
    const std::string_view pattern = schema["pattern"].as_string();
    if (pattern.empty()) return;
    const RE2& expression = compiled(pattern);
    std::string shown(pattern);
    if (!expression.ok())
      shown += ", but pattern is invalid: " + pattern_problem(expression);
    else if (RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), expression))
      return;
    refuse(out, at, value, "should match '" + shown + "'");
  }

  static void check_format(const std::string& format, const Value& value, const Place& at,
                           Outcome& out) {
    if (!matches_format(format, value.as_string()))
      out.add(fault(Type::type_invalid, at, value,
                    "must be of type " + format + ": " + quote(value.as_string())));
  }

  // --- numbers ---

  // Whether a number could be one of the schema's type and format at all.
  static void check_range(double number, const Value& schema, std::string_view what,
                          const Place& at, Outcome& out) {
    const std::string type =
        schema["x-kubernetes-int-or-string"].as_bool() ? "" : schema["type"].str();
    const std::string format = format_of(schema);
    bool fits = true;
    if (type == "integer") {
      const bool narrow = format == "int32";
      fits = number == std::trunc(number) &&
             (narrow ? number >= -2147483648.0 && number <= 2147483647.0
                     : number >= -9223372036854775808.0 && number < 9223372036854775808.0);
    } else if (type == "number" && format == "float") {
      fits = std::fabs(number) <= 3.4028235677973366e38;
    }
    if (fits) return;
    out.add_text(std::string(what) + " value must be of type " + type +
                 (format.empty() ? " (default format)" : " with format " + format) + " in " +
                 at.text());
  }

  static void check_number(const Value& schema, const Value& value, const Place& at, Outcome& out) {
    // Every whole number fits 64 bits: that is how it was read.
    const bool fits = value.is_integer() && format_of(schema) != "int32";
    if (!fits) check_range(value.as_double(), schema, "Checked", at, out);
    check_multiple(schema, value, at, out);
    check_bound(schema, value, at, false, out);
    check_bound(schema, value, at, true, out);
  }

  static void check_multiple(const Value& schema, const Value& value, const Place& at,
                             Outcome& out) {
    const Value& factor = schema["multipleOf"];
    if (factor.is_null()) return;
    Outcome part;
    check_range(factor.as_double(), schema, "MultipleOf", at, part);
    const bool whole = part.ok() && value.is_integer();
    const Value shown = whole ? Value(factor.as_int()) : factor;
    const double number = value.as_double(), step = factor.as_double();
    if (whole ? shown.as_int() <= 0 : step <= 0) {
      Fault found;
      found.place = at.text();
      found.value = shown;
      found.message = "factor MultipleOf declared for " + found.place +
                      " must be positive: " + codec::go_text(shown);
      part.add(std::move(found));
    } else if (whole ? value.as_int() % shown.as_int() != 0
                     : !is_whole(step < 1 ? 1 / step * number : number / step)) {
      refuse(part, at, whole ? value : Value(number),
             "should be a multiple of " + codec::go_text(shown));
    }
    out.merge(std::move(part));
  }

  static void check_bound(const Value& schema, const Value& value, const Place& at, bool upper,
                          Outcome& out) {
    const Value& bound = schema[upper ? "maximum" : "minimum"];
    if (bound.is_null()) return;
    const bool exclusive = schema[upper ? "exclusiveMaximum" : "exclusiveMinimum"].as_bool();
    Outcome part;
    check_range(bound.as_double(), schema, upper ? "Maximum boundary" : "Minimum boundary", at,
                part);
    const bool whole = part.ok() && value.is_integer();
    const auto beyond = [&](auto a, auto b) {
      return (upper ? a > b : a < b) || (exclusive && !(upper ? a < b : a > b));
    };
    if (whole ? beyond(value.as_int(), bound.as_int())
              : beyond(value.as_double(), bound.as_double())) {
      const Value shown = whole ? Value(bound.as_int()) : Value(bound.as_double());
      refuse(part, at, whole ? value : Value(value.as_double()),
             std::string("should be ") + (upper ? "less than " : "greater than ") +
                 (exclusive ? "" : "or equal to ") + codec::go_text(shown));
    }
    out.merge(std::move(part));
  }

  // --- lists and objects ---

  void check_list(const Value& schema, const Value& value, const Place& at, const Change& change,
                  Outcome& out) {
    if (const Value& items = schema["items"]; items.is_object())
      for (std::size_t i = 0; i < value.size(); ++i) {
        const Change element = change ? change->index(i) : std::nullopt;
        const Place place{&at, Place::Step::item, {}, i};
        out.merge(check_changed(items, value[i], place, element));
      }
    const auto size = static_cast<std::int64_t>(value.size());
    if (const Value& least = schema["minItems"]; !least.is_null() && size < least.as_int())
      refuse(out, at, size, "should have at least " + std::to_string(least.as_int()) + " items");
    if (const Value& most = schema["maxItems"]; !most.is_null() && size > most.as_int()) {
      Fault found = fault(Type::too_many, at, size,
                          "should have at most " + std::to_string(most.as_int()) + " items");
      found.limit = most.as_int();
      out.add(std::move(found));
    }
    if (schema["uniqueItems"].as_bool())
      for (std::size_t i = 0; i < value.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
          if (value[i] == value[j]) return refuse(out, at, "", "shouldn't contain duplicates");
    ++out.matches;
  }

  void check_object(const Value& schema, const Value& value, const Place& at, const Change& change,
                    Outcome& out) {
    const auto size = static_cast<std::int64_t>(value.size());
    if (const Value& least = schema["minProperties"]; !least.is_null() && size < least.as_int())
      refuse(out, at, size,
             "should have at least " + std::to_string(least.as_int()) + " properties");
    if (const Value& most = schema["maxProperties"]; !most.is_null() && size > most.as_int()) {
      Fault found = fault(Type::too_many, at, size,
                          "should have at most " + std::to_string(most.as_int()) + " properties");
      found.limit = most.as_int();
      out.add(std::move(found));
    }
    const Value &properties = schema["properties"], &others = schema["additionalProperties"];
    const auto member = [&](std::string_view name, const Value& inner, const Value& of,
                            Place::Step step) {
      Change child = change ? change->key(name) : std::nullopt;
      // The type itself is never forgiven.
      if (at.step == Place::Step::root && (name == "kind" || name == "apiVersion")) child.reset();
      const Place place{&at, step, name, 0};
      out.merge(check_changed(of, inner, place, child));
    };
    for (const codec::Member& one : value.members()) {
      if (properties.has(one.key())) continue;
      if (others.is_object()) {
        member(one.key(), one.value, others, Place::Step::dotted);
      } else if (others == Value(false)) {
        Fault found = fault(Type::invalid, at, one.key(), "is a forbidden property");
        found.message = at.text_of(one.key()) + " in body is a forbidden property";
        out.add(std::move(found));
      }
    }
    for (const codec::Member& one : value.members())
      if (const Value* of = properties.find(one.key()))
        member(one.key(), one.value, *of, Place::Step::member);
    for (const Value& name : schema["required"].elements()) {
      if (value.has(name.as_string())) continue;
      Fault found;
      found.type = Type::required;
      found.place = at.text_of(name.as_string());
      found.message = found.place + " in body is required";
      out.add(std::move(found));
    }
  }

  // --- anyOf, oneOf, allOf, not ---

  void check_junctors(const Value& schema, const Value& value, const Place& at,
                      const Change& change, Outcome& out) {
    if (!schema["anyOf"].empty()) any_of(schema["anyOf"], value, at, change, out);
    if (!schema["oneOf"].empty()) one_of(schema["oneOf"], value, at, change, out);
    if (!schema["allOf"].empty()) {
      std::size_t valid = 0;
      const Value& all = schema["allOf"];
      for (const Value& one : all.elements()) {
        Outcome result = check(one, value, at, change);
        if (result.ok()) ++valid;
        out.merge(std::move(result));
      }
      if (valid != all.size())
        out.add_text(quote(at.text()) + " must validate all the schemas (allOf)" +
                     (valid == 0 ? ". None validated" : ""));
    }
    if (schema["not"].is_object() && check(schema["not"], value, at, change).ok())
      out.add_text(quote(at.text()) + " must not validate the schema (not)");
    ++out.matches;
  }

  void any_of(const Value& branches, const Value& value, const Place& at, const Change& change,
              Outcome& out) {
    std::optional<Outcome> best;
    for (const Value& one : branches.elements()) {
      Outcome result = check(one, value, at, change);
      if (result.ok()) return out.merge(std::move(result));
      if (!best || result.matches > best->matches) best = std::move(result);
    }
    out.add_text(quote(at.text()) + " must validate at least one schema (anyOf)");
    out.merge(std::move(*best));
  }

  void one_of(const Value& branches, const Value& value, const Place& at, const Change& change,
              Outcome& out) {
    std::optional<Outcome> best, first;
    int valid = 0;
    for (const Value& one : branches.elements()) {
      Outcome result = check(one, value, at, change);
      if (result.ok()) {
        ++valid;
        best.reset();
        if (!first) first = std::move(result);
      } else if (valid == 0 && (!best || result.matches > best->matches)) {
        best = std::move(result);
      }
    }
    if (valid == 1) return out.merge(std::move(*first));
    out.add_text(quote(at.text()) + " must validate one and only one schema (oneOf). " +
                 (valid == 0 ? std::string("Found none valid")
                             : "Found " + std::to_string(valid) + " valid alternatives"));
    if (best) out.merge(std::move(*best));
  }
};

void report(Outcome outcome, std::string_view at, FieldErrors& errors) {
  for (Fault& fault : outcome.faults) {
    std::string place(at);
    std::string_view below = fault.place;
    if (below.starts_with('.')) below.remove_prefix(1);
    if (!below.empty()) place += (place.empty() ? "" : ".") + std::string(below);
    if (place.empty()) place = "<nil>";
    const Path path(place);
    switch (fault.type) {
      case Type::required: errors.required(path); break;
      case Type::not_supported:
        errors.not_supported(path, std::move(fault.value), fault.supported);
        break;
      case Type::too_long: errors.too_long(path, fault.limit); break;
      case Type::too_many: errors.too_many(path, fault.value.as_int(), fault.limit); break;
      default: {
        FieldError error{fault.type, place, fault.value, fault.message, {}};
        if (fault.value.kind() == Value::Kind::number) error.printed = codec::go_text(fault.value);
        errors.add(std::move(error));
      }
    }
  }
}

}  // namespace

void check_against_schema(const Value& schema, const Value& value, std::string_view at,
                          FieldErrors& errors) {
  report(Checker().check(schema, value, Place(), std::nullopt), at, errors);
}

void check_against_schema(const Value& schema, const Correlation& change, std::string_view at,
                          FieldErrors& errors) {
  report(Checker().check_changed(schema, change.now(), Place(), change), at, errors);
}

bool is_valid_pattern(std::string_view pattern, std::string* why) {
  const RE2& expression = compiled(pattern);
  if (!expression.ok() && why != nullptr) *why = pattern_problem(expression);
  return expression.ok();
}

}  // namespace keelson::model
