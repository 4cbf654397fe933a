#include "model/selector.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::model {
namespace {

codec::Value json(std::string_view text) {
  return codec::parse_json(text).value();
}
std::string error_of(std::string_view text) {
  const auto result = LabelSelector::parse(text);
  return result ? "" : result.error().message;
}
bool match(std::string_view selector, std::string_view labels) {
  return LabelSelector::parse(selector).value().matches(json(labels));
}

TEST(LabelSelector, Matches) {
  EXPECT_TRUE(match("", "{}"));
  EXPECT_TRUE(match("a=1,b!=2", R"({"a":"1"})"));
  EXPECT_TRUE(match("a in (1,2), !c", R"({"a":"2"})"));
  EXPECT_FALSE(match("a notin (1)", R"({"a":"1"})"));
  EXPECT_TRUE(match("a>3", R"({"a":"4"})"));
  EXPECT_TRUE(match("a in ()", R"({"a":""})"));
  EXPECT_TRUE(match("in in (in)", R"({"in":"in"})"));
  EXPECT_EQ(LabelSelector::parse("z in (b,a),!x,y=1,w").value().text(), "w,!x,y=1,z in (a,b)");
}

TEST(LabelSelector, ErrorsNameTheToken) {
  EXPECT_EQ(error_of("a b"),
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
  EXPECT_EQ(error_of("a,"), "found '', expected: identifier after ','");
  EXPECT_EQ(error_of("="), "found '=', expected: !, identifier, or 'end of string'");
  EXPECT_EQ(error_of("a in b"), "unable to parse requirement: found 'b' expected: '('");
}

TEST(LabelSelector, OfObject) {
  EXPECT_TRUE(LabelSelector::of(codec::Value()).value().matches_nothing());
  EXPECT_TRUE(LabelSelector::of(json("{}")).value().matches_everything());
  const auto selector = LabelSelector::of(
      json(R"({"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"Exists"}]})"));
  EXPECT_TRUE(selector.value().matches(json(R"({"a":"1","b":""})")));
  EXPECT_FALSE(selector.value().matches(json(R"({"a":"1"})")));
  EXPECT_EQ(LabelSelector::of(json(R"({"matchExpressions":[{"key":"b","operator":"X"}]})"))
                .error()
                .message,
            "\"X\" is not a valid label selector operator");
}

TEST(FieldSelector, Parses) {
  const auto terms = parse_field_selector(R"(metadata.name=x,spec.a!=y\,z)").value();
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_EQ(terms[0].path, "metadata.name");
  EXPECT_EQ(terms[1].value, "y,z");
  EXPECT_FALSE(terms[1].equal);
  EXPECT_EQ(parse_field_selector("x").error().message,
            "invalid selector: 'x'; can't understand 'x'");
}

}  // namespace
}  // namespace keelson::model
