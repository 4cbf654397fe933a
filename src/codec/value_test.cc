#include "codec/value.h"

#include <gtest/gtest.h>

#include "codec/json.h"
#include "codec/json_text.h"

namespace keelson::codec {
namespace {

TEST(Value, CopyOnWrite) {
  Value a = Value::object({{"spec", Value::object({{"replicas", 3}})}});
  const Value b = a;
  a.edit("spec").set("replicas", 4);
  EXPECT_EQ(a.at("spec.replicas").as_int(), 4);
  EXPECT_EQ(b.at("spec.replicas").as_int(), 3);
  EXPECT_FALSE(a == b);
}

TEST(Value, MembersAreSortedAndLastDuplicateWins) {
  const auto document = parse_json_document(R"({"b":1,"a":2,"b":{"c":1,"c":2}})");
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(to_json(document->value), R"({"a":2,"b":{"c":2}})");
  EXPECT_EQ(document->duplicates, (std::vector<std::string>{"b.c", "b"}));
}

TEST(Value, ShortAndLongStrings) {
  for (const std::size_t n : {0U, 1U, 14U, 15U, 100U}) {
    const std::string text(n, 'x');
    const Value v(text);
    const Value copy = v;
    EXPECT_EQ(copy.as_string(), text);
    EXPECT_EQ(copy, v);
  }
}

TEST(Json, RoundTrip) {
  for (const char* text : {"null", "true", "-12", "1.5", "\"a\\n\\u0001ü\"", "[1,[],{}]",
                           "{\"a\":[null]}", "1e+22", "1e-7", "9223372036854776000",
                           "-18446744073709552000", "100000000000000000000", "0.000001"}) {
    const auto value = parse_json(text);
    ASSERT_TRUE(value.ok()) << text;
    EXPECT_EQ(to_json(*value), text);
  }
}

TEST(Json, ErrorsReadAsInGo) {
  const auto message = [](const char* text) { return parse_json(text).error().message; };
  EXPECT_EQ(message(""), "unexpected end of JSON input");
  EXPECT_EQ(message("{x"), "invalid character 'x' looking for beginning of object key string");
  EXPECT_EQ(message("[1 2]"), "invalid character '2' after array element");
  EXPECT_EQ(message("{\"a\":tru1}"), "invalid character '1' in literal true (expecting 'e')");
  EXPECT_EQ(message("1 1"), "invalid character '1' after top-level value");
  EXPECT_EQ(message("\"\\q\""), "invalid character 'q' in string escape code");
}

TEST(JsonText, ReadsInPlace) {
  const std::string text =
      R"({"a":{"n":-12,"x":1.5,"t":true,"z":null},"e\"s":"q\"\u00e9\\","l":["x]",[1,{}],"\\"],"o":{}})";
  const JsonText root(text);
  const Value parsed = *parse_json(text);
  std::string buffer;
  EXPECT_EQ(root["a"]["n"].as_int(), -12);
  EXPECT_EQ(root["a"]["x"].as_double(), 1.5);
  EXPECT_TRUE(root["a"]["t"].as_bool());
  EXPECT_TRUE(root["a"]["z"].is_null() && root["a"]["none"]["deeper"].is_null());
  EXPECT_EQ(root["e\"s"].as_string(buffer), parsed["e\"s"].as_string());
  std::vector<std::string> elements, members;
  root["l"].each_element([&](JsonText one) { elements.emplace_back(one.raw()); });
  EXPECT_EQ(elements, (std::vector<std::string>{"\"x]\"", "[1,{}]", "\"\\\\\""}));
  root.each_member([&](JsonText key, JsonText) { members.emplace_back(key.as_string(buffer)); });
  EXPECT_EQ(members, (std::vector<std::string>{"a", "e\"s", "l", "o"}));
  // Text that is cut off anywhere is never left.
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    const std::string part = text.substr(0, cut);
    JsonText(part).each_member([&](JsonText key, JsonText value) {
      (void)key.as_string(buffer);
      value.each_element([&](JsonText one) { (void)one.as_string(buffer); });
      value.each_member([&](JsonText, JsonText one) { (void)one.as_int(); });
    });
  }
}

}  // namespace
}  // namespace keelson::codec
