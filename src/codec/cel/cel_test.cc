#include "codec/cel/cel.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "codec/cel/text.h"

namespace keelson::codec::cel {
namespace {

Environment environment() {
  static const std::shared_ptr<const Library> library = make_base_library();
  return {library, {{"x", dyn_type()}, {"s", string_type()}, {"list", list_of(int_type())}}};
}

std::vector<Datum> variables() {
  Value object = Value::object({{"a", 1}, {"b", Value::array({1, 2, 3})}, {"t", "text"}});
  std::vector<Datum> values = {view(object), Datum::string("héllo")};
  values.push_back(view(Value::array({3, 1, 2})));
  return values;
}

std::string value_of(std::string_view text) {
  const auto program = compile(text, environment());
  if (!program.ok()) return "! " + program.error().message;
  Budget budget;
  const Datum result = program->evaluate(variables(), budget);
  return result.is_error() ? "error: " + std::string(result.text()) : display(result);
}

std::uint64_t cost_of(std::string_view text) {
  const auto program = compile(text, environment());
  EXPECT_TRUE(program.ok()) << text;
  Budget budget;
  program->evaluate(variables(), budget);
  return budget.used;
}

struct Case {
  const char* expression;
  const char* value;
};

TEST(Cel, Values) {
  for (const auto& [expression, value] : std::initializer_list<Case>{
           {"1 + 2 * 3", "7"},
           {"-7 / 2", "-3"},
           {"-7 % 3", "-1"},
           {"1 / 0", "error: division by zero"},
           {"9223372036854775807 + 1", "error: integer overflow"},
           {"1u - 2u", "error: unsigned integer overflow"},
           {"--1", "1"},
           {"!!true", "true"},
           {"1 < 1.5", "true"},
           {"dyn(1) == 1.0", "true"},
           {"dyn(1) == 'a'", "false"},
           {"dyn(1) < dyn('a')", "error: no such overload"},
           {"null < null", "error: no such overload: _<_"},
           {"true || (1 / 0 > 0)", "true"},
           {"(1 / 0 > 0) || true", "true"},
           {"(1 / 0 > 0) && true", "error: division by zero"},
           {"x.a == 1 ? 'yes' : 'no'", "yes"},
           {"x.missing", "error: no such key: missing"},
           {"has(x.missing)", "false"},
           {"has(x.a) && has(x.b)", "true"},
           {"x.b[1] + x['a']", "3"},
           {"x.b[5]", "error: index out of bounds: 5"},
           {"x.b.map(v, v * 2)", "[2, 4, 6]"},
           {"x.b.filter(v, v > 1)", "[2, 3]"},
           {"x.b.all(v, v > 0) && x.b.exists(v, v == 3)", "true"},
           {"x.b.exists_one(v, v == 3)", "true"},
           {"x.b.map(v, v > 1, v + 1)", "[3, 4]"},
           {"x.b.all(i, v, v == i + 1)", "true"},
           {"x.b.transformList(i, v, i * v)", "[0, 2, 6]"},
           {"{'a': 1, 'b': 2}.transformMap(k, v, v * 2)", "{a: 2, b: 4}"},
           {"{'a': 1}.transformMapEntry(k, v, {k + 'x': v})", "{ax: 1}"},
           {"{'a': 'x', 'b': 'x'}.transformMapEntry(k, v, {v: k})",
            "error: insert failed: key x already exists"},
           {"x.?missing.orValue(5)", "5"},
           {"x.?a.optMap(v, v + 1).value()", "2"},
           {"x.?missing.optMap(v, v + 1).hasValue()", "false"},
           {"[?x.?a, ?x.?missing]", "[1]"},
           {"optional.of(1).or(optional.of(2)).value()", "1"},
           {"s.size()", "5"},
           {"s.charAt(1)", "é"},
           {"s.indexOf('l')", "2"},
           {"s.substring(1, 3)", "él"},
           {"'a,b,c'.split(',', 2)", "[a, b,c]"},
           {"['a', 'b'].join('-')", "a-b"},
           {"'abc'.replace('', '-')", "-a-b-c-"},
           {"' x '.trim()", "x"},
           {"'abc'.matches('^a.c$')", "true"},
           {"'a1b22'.findAll('[0-9]+')", "[1, 22]"},
           {"'%d %s %.2f'.format([1, 'a', 1.5])", "1 a 1.50"},
           {"'%s'.format([{'b': [dyn(1.5), 'x'], 'a': [null]}])",
            "{\"a\":[null], \"b\":[1.500000, \"x\"]}"},
           {"'%.3f'.format([1234567.5])", "1,234,567.500"},
           {"list.sort()", "[1, 2, 3]"},
           {"list.sortBy(v, -v)", "[3, 2, 1]"},
           {"list.sum() + list.max() - list.min()", "8"},
           {"[1, 2, 2].distinct().reverse()", "[2, 1]"},
           {"lists.range(3)", "[0, 1, 2]"},
           {"sets.contains([1, 2], [2]) && !sets.intersects([1], [2])", "true"},
           {"timestamp('2024-02-29T12:30:45.5Z').getDayOfYear()", "59"},
           {"timestamp('2024-02-29T23:30:45Z').getHours('-05:30')", "18"},
           {"timestamp('2024-01-02T00:00:00Z') - timestamp('2024-01-01T00:00:00Z')", "86400s"},
           {"duration('1h30m').getMinutes()", "90"},
           {"type(1) == int", "true"},
           {"string(type([]))", "! "},
           {"b'\\xff' == bytes('a')", "false"},
           {"r'\\n' + '\\x41'", "\\nA"},
           {"'a' in {'a': 1} && 2 in [1, 2]", "true"},
           {"x.b in [[1, 2, 3]]", "true"},
       }) {
    const std::string got = value_of(expression);
    if (std::string_view(value) == "! ")
      EXPECT_TRUE(got.starts_with("! ")) << expression << " is " << got;
    else
      EXPECT_EQ(got, value) << expression;
  }
}

TEST(Cel, Faults) {
  const auto fault = [](std::string_view text, std::string_view message) {
    EXPECT_EQ(value_of(text), "! " + std::string(message)) << text;
  };
  constexpr const char* kFirst =
      "'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, "
      "STRING, BYTES, IDENTIFIER}";
  fault("1 +", std::string("ERROR: <input>:1:4: Syntax error: mismatched input '<EOF>' "
                           "expecting {") +
                   kFirst + "\n | 1 +\n | ...^");
  fault("a b",
        "ERROR: <input>:1:3: Syntax error: extraneous input 'b' expecting <EOF>\n"
        " | a b\n | ..^");
  fault("x.",
        "ERROR: <input>:1:3: Syntax error: no viable alternative at input '.'\n"
        " | x.\n | ..^");
  fault("f(1", "ERROR: <input>:1:4: Syntax error: missing ')' at '<EOF>'\n | f(1\n | ...^");
  fault("true;",
        "ERROR: <input>:1:5: Syntax error: token recognition error at: ';'\n"
        " | true;\n | ....^");
  fault("y", "ERROR: <input>:1:1: undeclared reference to 'y' (in container '')\n | y\n | ^");
  fault("1 + 1.0",
        "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, double)'\n"
        " | 1 + 1.0\n | ..^");
  fault("'é' + 1",
        "ERROR: <input>:1:5: found no matching overload for '_+_' applied to '(string, int)'\n"
        " | 'é' + 1\n | .．..^");
  fault("[1, 'a']",
        "ERROR: <input>:1:5: expected type 'int' but found 'string'\n"
        " | [1, 'a']\n | ....^");
  fault("'a'.matches('(')",
        "ERROR: <input>:1:13: invalid matches argument\n"
        " | 'a'.matches('(')\n | ............^");
  fault("int('a')", "type conversion error from 'string' to 'int'");
  fault("'%d'.format(['a'])",
        "ERROR: <input>:1:14: error during formatting: decimal clause can only be used on "
        "integers, was given string\n | '%d'.format(['a'])\n | .............^");
}

// As cel-go counts them: constants are free, an identifier and each name read from it cost one.
TEST(Cel, Costs) {
  EXPECT_EQ(cost_of("1"), 0u);
  EXPECT_EQ(cost_of("x"), 1u);
  EXPECT_EQ(cost_of("x.a"), 2u);
  EXPECT_EQ(cost_of("x.b[0]"), 3u);
  EXPECT_EQ(cost_of("has(x.a)"), 1u);
  EXPECT_EQ(cost_of("1 + 2"), 1u);
  EXPECT_EQ(cost_of("true && false"), 0u);
  EXPECT_EQ(cost_of("s == 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"), 2u);
  EXPECT_EQ(cost_of("x.a == 1 ? 1 : 2"), 3u);
  // Twice: the accumulator, the test of it, the element, the comparison.
  EXPECT_EQ(cost_of("[1, 2].all(e, e > 0)"), 2u * 5 + 1);
}

TEST(Cel, TheBudgetEndsAnEvaluation) {
  const auto program = compile(
      "lists.range(1000).map(a, lists.range(1000).map(b, a * b)).size() > 0", environment());
  ASSERT_TRUE(program.ok());
  Budget budget;
  const Datum result = program->evaluate(variables(), budget);
  EXPECT_EQ(result.text(), kCostExceeded);
  EXPECT_LT(budget.used, 1'100'000u);
}

TEST(Cel, Depth) {
  const std::string deep = std::string(300, '(') + "1" + std::string(300, ')');
  EXPECT_EQ(value_of(deep), "! ERROR: <input>:-1:0: expression recursion limit exceeded: 250");
  std::string chain = "1";
  for (int i = 0; i < 10'000; ++i) chain += "||1";
  EXPECT_TRUE(value_of(chain).starts_with("! "));
  EXPECT_EQ(value_of(std::string(100'001, ' ')),
            "! ERROR: <input>:-1:0: expression code point size exceeds limit: size: 100001, limit "
            "100000");
}

TEST(Cel, Estimates) {
  const auto estimate = [](std::string_view text) {
    const auto checked = check(text, environment());
    EXPECT_TRUE(checked.ok()) << text;
    return estimate_cost(**checked, [](const std::vector<std::string>& path, Estimate& size) {
      if (path.size() != 1 || path[0] != "list") return false;
      size = {0, 100};
      return true;
    });
  };
  EXPECT_EQ(estimate("1 + 2").max, 1u);
  EXPECT_EQ(estimate("list.all(e, e > 0)").max, 502u);
  EXPECT_GT(estimate("s.contains('a')").max, UINT64_MAX / 100);
}

// Whatever the text, there is an answer and no crash.
TEST(Cel, ArbitraryText) {
  constexpr std::string_view kParts[] = {
      "x",    ".",           "(",      ")",    "[",   "]",      "{",
      "}",    "'",           "\"",     "1",    "1.5", "-",      "!",
      "?",    ":",           ",",      "all",  "e",   "has",    "map",
      " ",    "&&",          "||",     "==",   "in",  "\\",     "%",
      "true", "b'",          "r'",     "list", ".?",  "[?",     "é",
      "\n",   "//",          "`",      "0x",   "u",   "optMap", "'%s'.format(",
      "null", "timestamp('", ".size()"};
  Prng rng(7);
  for (int round = 0; round < 5'000; ++round) {
    std::string text;
    const std::size_t length = rng.below(12) + 1;
    for (std::size_t i = 0; i < length; ++i) text += kParts[rng.below(std::size(kParts))];
    (void)value_of(text);
  }
}

TEST(Cel, EscapedNames) {
  std::string text;
  EXPECT_TRUE(escape_name("namespace", text));
  EXPECT_EQ(text, "__namespace__");
  EXPECT_TRUE(escape_name("a-b.c/d__e", text));
  EXPECT_EQ(text, "a__dash__b__dot__c__slash__d__underscores__e");
  std::string back;
  EXPECT_TRUE(unescape_name(text, back));
  EXPECT_EQ(back, "a-b.c/d__e");
  EXPECT_FALSE(escape_name("0a", text));
  EXPECT_FALSE(escape_name("a$", text));
}

TEST(Cel, ListsOfObjectsByTheirShape) {
  auto item = std::make_shared<Shape>();
  item->kind = Shape::Kind::integer;
  auto set = std::make_shared<Shape>();
  set->kind = Shape::Kind::array;
  set->items = item;
  set->list.kind = ListShape::Kind::set;
  const Datum a = view(Value::array({1, 2}), set), b = view(Value::array({2, 1}), set);
  EXPECT_TRUE(equal(a, b));
  EXPECT_EQ(append(a, view(Value::array({2, 3}), set)).size(), 3);
  EXPECT_TRUE(equals(a, Datum::string("x")).is_error());
}

}  // namespace
}  // namespace keelson::codec::cel
