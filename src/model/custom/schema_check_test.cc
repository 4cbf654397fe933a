#include "model/custom/schema_check.h"

#include <gtest/gtest.h>

#include "codec/json.h"
#include "model/custom/string_formats.h"

namespace keelson::model {
namespace {

using codec::Value;

Value json(std::string_view text) {
  auto parsed = codec::parse_json(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return parsed.ok() ? *parsed : Value();
}

std::string faults(std::string_view schema, std::string_view value) {
  FieldErrors errors;
  const Value of = json(schema), what = json(value);
  check_against_schema(of, what, "", errors);
  return errors.empty() ? "" : errors.text();
}

TEST(SchemaCheck, SaysWhatKubernetesSays) {
  const char* schema = R"({"type":"object","properties":{"s":{"type":"string","maxLength":2},
      "i":{"type":"integer","minimum":3},"e":{"type":"string","enum":["a","b"]},
      "l":{"type":"array","items":{"type":"integer"}}},"required":["r"]})";
  EXPECT_EQ(faults(schema, R"({"r":1})"), "");
  EXPECT_EQ(faults(schema, R"({})"), "r: Required value");
  EXPECT_EQ(faults(schema, R"({"r":1,"s":3})"),
            R"(s: Invalid value: "integer": s in body must be of type string: "integer")");
  EXPECT_EQ(faults(schema, R"({"r":1,"s":"abc"})"), "s: Too long: may not be more than 2 bytes");
  EXPECT_EQ(faults(schema, R"({"r":1,"i":2})"),
            "i: Invalid value: 2: i in body should be greater than or equal to 3");
  EXPECT_EQ(faults(schema, R"({"r":1,"e":"c"})"),
            R"(e: Unsupported value: "c": supported values: "a", "b")");
  EXPECT_EQ(faults(schema, R"({"r":1,"l":[1,null]})"),
            R"(l[1]: Invalid value: "null": l[1] in body must be of type integer: "null")");
  EXPECT_EQ(faults(schema, R"({"r":1,"i":4.0})"), "");
}

TEST(SchemaCheck, ShowsTheBranchThatWentFurthest) {
  const char* schema = R"({"type":"object","anyOf":[{"required":["a"]},{"required":["b"]}]})";
  EXPECT_EQ(faults(schema, R"({"b":1})"), "");
  EXPECT_EQ(
      faults(schema, "{}"),
      R"([<nil>: Invalid value: "": "" must validate at least one schema (anyOf), a: Required value])");
}

TEST(SchemaCheck, ForgivesWhatDidNotChange) {
  const Value schema = json(R"({"type":"object","properties":{"s":{"type":"string","maxLength":1},
      "m":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],
           "items":{"type":"object","properties":{"k":{"type":"string"},
                    "v":{"type":"string","maxLength":1}}}}}})");
  const Value old = json(R"({"s":"long","m":[{"k":"a","v":"long"}]})");
  const auto changed = [&](std::string_view text) {
    const Value now = json(text);
    FieldErrors errors;
    check_against_schema(schema, Correlation(schema, now, old), "", errors);
    return errors.empty() ? std::string() : errors.text();
  };
  EXPECT_EQ(changed(R"({"s":"long","m":[{"k":"b","v":"x"},{"k":"a","v":"long"}]})"), "");
  EXPECT_EQ(changed(R"({"s":"other","m":[]})"), "s: Too long: may not be more than 1 byte");
  EXPECT_EQ(changed(R"({"s":"long","m":[{"k":"b","v":"long"}]})"),
            "m[0].v: Too long: may not be more than 1 byte");
}

TEST(StringFormats, KnowTheirTexts) {
  EXPECT_TRUE(is_known_format("date-time"));
  EXPECT_FALSE(is_known_format("int-or-string"));
  const std::pair<const char*, const char*> good[] = {
      {"date", "2024-02-29"},        {"date-time", "2024-02-29T23:59:59.5+01:00"},
      {"duration", "1h30m"},         {"duration", "5 days"},
      {"hostname", "a.example.com"}, {"mac", "00:1b:44:11:3a:b7"},
      {"uri", "https://a/b?c"},      {"email", "Some One <a@b.example>"},
      {"cidr", "10.0.0.0/8"},        {"creditcard", "4111 1111 1111 1111"}};
  for (const auto& [format, text] : good) EXPECT_TRUE(matches_format(format, text)) << text;
  const std::pair<const char*, const char*> bad[] = {
      {"date", "2023-02-29"},    {"date-time", "2024-01-01T24:00:00Z"},
      {"duration", "soon"},      {"hostname", "a_b"},
      {"mac", "00:1b:44:11:3a"}, {"uri", "not it!"},
      {"email", "nobody"},       {"cidr", "10.0.0.0/33"},
      {"byte", "a==="}};
  for (const auto& [format, text] : bad) EXPECT_FALSE(matches_format(format, text)) << text;
}

}  // namespace
}  // namespace keelson::model
