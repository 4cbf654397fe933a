#include "codec/yaml.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::codec {
namespace {

std::string read(std::string_view text) {
  const auto document = parse_yaml(text);
  return document.ok() ? to_json(document->value) : document.error().message;
}

TEST(Yaml, ScalarsByTheRulesOf1_1) {
  EXPECT_EQ(read("[yes, no, on, off, y, n, True, \"yes\", !!str yes]"),
            R"([true,false,true,false,true,false,true,"yes","yes"])");
  EXPECT_EQ(read("[010, 0o10, 0x1F, 0b101, 1_000, +5, -5, 1.0, 1e3, 1.5e-3, 12345678901]"),
            "[8,8,31,5,1000,5,-5,1,1000,0.0015,12345678901]");
  EXPECT_EQ(read("[0777, 08, 0.10, 1__0, 0x]"), R"([511,8,0.1,10,"0x"])");
  EXPECT_EQ(read("[.5, 5., -0, -0.0, 1e400, 1e-400]"), R"([0.5,5,0,0,"1e400",0])");
  EXPECT_EQ(read("[9223372036854775807, 9223372036854775808, 100000000000000000000000]"),
            "[9223372036854775807,9223372036854776000,1e+23]");
  EXPECT_EQ(read("[~, null, {a: }, \"\", Null]"), R"([null,null,{"a":null},"",null])");
  EXPECT_EQ(read("[2026-01-02, 2026-01-02T03:04:05Z, 12:30:45]"),
            R"(["2026-01-02","2026-01-02T03:04:05Z","12:30:45"])");
  EXPECT_EQ(read("[!!binary aGVsbG8=, !!int \"5\", !!float 5, !custom z]"), R"(["hello",5,5,"z"])");
}

TEST(Yaml, KeysBecomeText) {
  EXPECT_EQ(read("{1: a, true: b, n: c, 1.5: d, 010: e}"),
            R"({"1":"a","1.5":"d","8":"e","false":"c","true":"b"})");
  EXPECT_EQ(read("null: c"), "unsupported map key of type: %!s(<nil>), key: <nil>, value: \"c\"");
  EXPECT_EQ(
      read("x: {{ .Values.y }}"),
      "yaml: invalid map key: map[interface {}]interface {}{\".Values.y\":interface {}(nil)}");
}

TEST(Yaml, AliasesAndMerges) {
  EXPECT_EQ(read("a: &x {b: 1}\nc: *x"), R"({"a":{"b":1},"c":{"b":1}})");
  EXPECT_EQ(read("base: &b {p: 1, q: 2}\nm:\n  <<: *b\n  q: 3"),
            R"({"base":{"p":1,"q":2},"m":{"p":1,"q":3}})");
  EXPECT_EQ(read("[&a {p: 1}, &b {p: 2, q: 2}, {<<: [*a, *b]}]"),
            R"([{"p":1},{"p":2,"q":2},{"p":1,"q":2}])");
  EXPECT_EQ(read("a: &a [*a]"), "yaml: anchor 'a' value contains itself");
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) laughs += (k > 0 ? ",*a" : "*a") + std::to_string(i - 1);
    laughs += "]\n";
  }
  EXPECT_EQ(read(laughs), "yaml: document contains excessive aliasing");
}

TEST(Yaml, ErrorsReadAsInTheOriginal) {
  EXPECT_EQ(read("a: b: c\n"), "yaml: mapping values are not allowed in this context");
  EXPECT_EQ(read("metadata: [\n"), "yaml: line 1: did not find expected node content");
  EXPECT_EQ(read("a: 1\nv:\n\ta: 1\n"),
            "yaml: line 3: found character that cannot start any token");
  EXPECT_EQ(read("v:\n  a: [1\n"), "yaml: line 2: did not find expected ',' or ']'");
  EXPECT_EQ(read("v:\n  a: \"unterminated\n"), "yaml: line 3: found unexpected end of stream");
  EXPECT_EQ(read("v: *nosuch"), "yaml: unknown anchor 'nosuch' referenced");
  EXPECT_EQ(read("v: .inf"), "json: unsupported value: +Inf");
  EXPECT_EQ(read("{bad"), "yaml: line 1: did not find expected ',' or '}'");
  EXPECT_EQ(read("!!int x"), "yaml: cannot decode !!str `x` as a !!int");
  EXPECT_FALSE(parse_yaml(std::string(5'000, '[')).ok());
}

TEST(Yaml, OnlyTheFirstDocumentCounts) {
  EXPECT_EQ(read("a: 1\n---\nb: ]\n"), R"({"a":1})");
  EXPECT_EQ(read("%YAML 1.1\n---\na: 1\n...\n"), R"({"a":1})");
  EXPECT_EQ(read("# only a comment\n"), "null");
  EXPECT_EQ(read(""), "null");
}

TEST(Yaml, DuplicateKeysAreNamedByLine) {
  const auto document = parse_yaml("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n");
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(to_json(document->value), R"({"a":3,"b":{"c":2}})");
  EXPECT_EQ(document->duplicates,
            (std::vector<std::string>{"line 4: key \"c\" already set in map",
                                      "line 5: key \"a\" already set in map"}));
}

TEST(Yaml, PlacesOfFieldPaths) {
  const auto document = parse_yaml(
      "metadata:\n"
      "  annotations:\n"
      "    a.b/c: x\n"
      "spec:\n"
      "  containers:\n"
      "  - name: a\n"
      "  - name: b\n"
      "    image: i\n",
      YamlPlaces::record);
  ASSERT_TRUE(document.ok());
  const YamlPlace& places = document->places;
  EXPECT_EQ(places.find("spec.containers[1].image"), (YamlPosition{8, 5}));
  EXPECT_EQ(places.find("spec.containers[0]"), (YamlPosition{6, 5}));
  EXPECT_EQ(places.find("spec.containers[0].image"), (YamlPosition{6, 5}));
  EXPECT_EQ(places.find("spec.nodeName"), (YamlPosition{4, 1}));
  EXPECT_EQ(places.find("metadata.annotations[a.b/c]"), (YamlPosition{3, 5}));
  EXPECT_EQ(places.find("metadata.annotations.a.b/c"), (YamlPosition{3, 5}));
  EXPECT_EQ(places.find(""), (YamlPosition{1, 1}));
}

TEST(Yaml, PartsOfAFileStandAlone) {
  const auto parts = parse_yaml_parts(
      "# head\n"
      "---\n"
      "a: 1\n"
      "---\n"
      "b: [\n"
      "--- # nothing\n"
      "---\n"
      "text: |\n"
      "  --- no marker\n"
      "c: 3\n");
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(to_json(parts[0].document.value), R"({"a":1})");
  EXPECT_EQ(parts[0].document.places.find("a"), (YamlPosition{3, 1}));
  ASSERT_TRUE(parts[1].problem.has_value());
  EXPECT_EQ(parts[1].problem->message, "did not find expected node content");
  EXPECT_EQ(parts[1].problem->at.line, 6);
  EXPECT_EQ(parts[2].document.places.find("c"), (YamlPosition{10, 1}));
  const auto twice = parse_yaml_parts("a: 1\n---\nb: 1\nb: 2\n");
  ASSERT_EQ(twice.size(), 2U);
  EXPECT_EQ(twice[1].document.duplicates,
            std::vector<std::string>{"line 4: key \"b\" already set in map"});
  EXPECT_TRUE(parse_yaml_parts("").empty());
  EXPECT_EQ(parse_yaml_parts("%YAML 1.1\n---\na: 1\n...\n%YAML 1.1\n---\nb: 2\n").size(), 2U);
  EXPECT_EQ(parse_yaml_parts("{\"a\": 1}").size(), 1U);
}

TEST(Yaml, WritesAsKubectl) {
  const auto write = [](std::string_view json) { return to_yaml(*parse_json(json)); };
  EXPECT_EQ(write(R"({"data":{"k":"two\nlines\n","true":"yes"},"items":[{"a":1,"b":[]},[1,[2]]]})"),
            "data:\n  k: |\n    two\n    lines\n  \"true\": \"yes\"\n"
            "items:\n- a: 1\n  b: []\n- - 1\n  - - 2\n");
  EXPECT_EQ(write(R"({"a10":1,"a2":2,"A":3,"_":4,".":{},"e":null})"),
            ".: {}\n_: 4\nA: 3\na2: 2\na10: 1\ne: null\n");
  EXPECT_EQ(write(R"(["", "null", "1e3", "0x", "12:30", "2026-01-02", "a: b", " x", "#", "x\ty"])"),
            "- \"\"\n- \"null\"\n- \"1e3\"\n- 0x\n- \"12:30\"\n- \"2026-01-02\"\n- 'a: b'\n- ' x'\n"
            "- '#'\n- \"x\\ty\"\n");
  EXPECT_EQ(write(R"([0.1, 1.5e300, 1e23, 1234567.5, 100000000000000000000])"),
            "- 0.1\n- 1.5e+300\n- 1e+23\n- 1.2345675e+06\n- 1e+20\n");
  EXPECT_EQ(
      write(R"({"message":"ConfigMap in version \"v1\" cannot be handled as a ConfigMap: )"
            R"(strict decoding error: unknown field \"bogus\""})"),
      "message: 'ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding\n"
      "  error: unknown field \"bogus\"'\n");
  EXPECT_EQ(write(R"("a\n\n")"), "|+\n  a\n\n");
  EXPECT_EQ(write("\"\xf0\x9f\x98\x80\""), "\"\\U0001F600\"\n");
}

TEST(Yaml, WhatIsWrittenReadsBack) {
  for (const char* json :
       {R"({"a":[{"b":"x\n"},null,1.5,"- x","y","010"],"z":{"~":"","<<":1}})", R"("  \n x")",
        R"(["\u0007","a\u2028b","trailing "," lead","a #b","%x","@"])"}) {
    const Value value = *parse_json(json);
    const auto back = parse_yaml(to_yaml(value));
    ASSERT_TRUE(back.ok()) << to_yaml(value) << back.error().message;
    EXPECT_EQ(back->value, value) << to_yaml(value);
  }
}

}  // namespace
}  // namespace keelson::codec
