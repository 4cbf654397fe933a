#include "codec/protobuf_writer.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "base/prng.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/json_scan.h"
#include "codec/protobuf.h"

namespace keelson::codec {
namespace {

// A pod in small: fields out of order, a plain message, pointers, lists, maps, raw JSON.
struct Types {
  Type text{.name = "", .shape = Shape::scalar, .scalar = Scalar::string};
  Type number{.name = "", .shape = Shape::scalar, .scalar = Scalar::int64};
  Type quantity{.name = "", .shape = Shape::scalar, .scalar = Scalar::quantity};
  Type raw{.name = "", .shape = Shape::any};
  Type texts{.name = "", .shape = Shape::list}, labels{.name = "", .shape = Shape::map};
  Type lists{.name = "", .shape = Shape::map};
  Type inner{.name = "x.Inner", .shape = Shape::structure};
  Type inners{.name = "", .shape = Shape::list};
  Type outer{.name = "x.Outer", .shape = Shape::structure};

  Types() {
    texts.element.type = labels.element.type = &text;
    lists.element.type = &texts;
    inners.element.type = &inner;
    inner.fields = {field("b", 1, text), field("a", 2, number), pointer("c", 3, number)};
    outer.fields = {field("texts", 7, texts),   field("inner", 1, inner),
                    pointer("maybe", 2, inner), field("inners", 3, inners),
                    field("labels", 4, labels), field("lists", 5, lists),
                    field("raw", 6, raw),       field("size", 20, quantity)};
  }
  static Field field(std::string name, int number, const Type& type) {
    Field made;
    made.name = std::move(name);
    made.number = number;
    made.type = &type;
    return made;
  }
  static Field pointer(std::string name, int number, const Type& type) {
    Field made = field(std::move(name), number, type);
    made.pointer = true;
    return made;
  }
};

class ProtobufWriterTest : public testing::Test {
 protected:
  const Types types;
  ProtobufWriter writer;
  std::string hex(std::string_view json) { return to_hex(writer.write(types.outer, json)); }
  // Without what is always there.
  std::string text(std::string_view json) {
    const std::string bytes(
        writer.write(types.inner, R"({"b":)" + std::string(json) + R"(,"a":0})"));
    return std::string(from_protobuf(types.inner, bytes).value()["b"].as_string());
  }
};

TEST_F(ProtobufWriterTest, WritesInOrderOfNumbersAndWhatIsAbsentToo) {
  EXPECT_EQ(hex("{}"),
            "0a04"
            "0a001000"
            "3200"
            "a201020a00");
  EXPECT_EQ(hex("null"), hex("{}"));
  EXPECT_EQ(
      hex(R"({"inner":{"a":5,"b":"x"},"inners":[{"a":1},{"c":0}],"labels":{"k":"v"},)"
          R"("lists":{"k":["1","2"]},"maybe":{},"raw":{"a":[1]},"size":"1","texts":["a",null,"b"]})"),
      "0a05"
      "0a01781005"
      "1204"
      "0a001000"
      "1a04"
      "0a001001"
      "1a06"
      "0a0010001800"
      "2206"
      "0a016b120176"
      "2a0b"
      "0a016b12060a01310a0132"
      "320b"
      "0a097b2261223a5b315d7d"
      "3a0161"
      "3a0162"
      "a201030a0131");
}

TEST_F(ProtobufWriterTest, SkipsWhatItDoesNotKnow) {
  const std::string known = hex(R"({"texts":["z"]})");
  EXPECT_EQ(
      hex(R"({"other":{"a":"}]\"}","b":[[{"c":"\\"}]],"d":"0123456789012345}"},"texts":["z"]})"),
      known);
  EXPECT_EQ(hex(R"({"maybe":null,"other":12.5e3,"texts":["z"]})"), known);
}

TEST_F(ProtobufWriterTest, UndoesEscapes) {
  EXPECT_EQ(text(R"("a\"b\\c\/\b\f\n\r\t\u001f")"), "a\"b\\c/\b\f\n\r\t\x1f");
  EXPECT_EQ(text(R"("\u00e9\ud83d\ude00")"), "\xc3\xa9\xf0\x9f\x98\x80");
  // The length takes fewer bytes than that of the text with escapes.
  const std::string plain(100, '\n');
  EXPECT_EQ(text(to_json(Value(plain))), plain);
  for (int length = 0; length < 300; ++length) {
    const std::string word(static_cast<std::size_t>(length), 'x');
    ASSERT_EQ(text(to_json(Value(word))), word);
  }
}

TEST_F(ProtobufWriterTest, NumbersMayBeText) {
  EXPECT_EQ(to_hex(writer.write(types.inner, R"({"a":"-1"})")), "0a0010ffffffffffffffffff01");
  EXPECT_EQ(to_hex(writer.write(types.inner, R"({"a":1.5})")), "0a001000");
}

TEST_F(ProtobufWriterTest, NeverLeavesTextThatIsCutOff) {
  const std::string whole =
      R"({"inner":{"a":5,"b":"x\n"},"inners":[{"a":1}],"labels":{"k":"v"},"other":[{"a":"\""}]})";
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    // Its own allocation, so that a sanitizer sees the end.
    const std::vector<char> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut));
    (void)writer.write(types.outer, std::string_view(part.data(), part.size()));
  }
}

// Random nestings of brackets and strings, at all alignments to the blocks that are looked at.
TEST(JsonScan, SkipsWholeValues) {
  Prng rng(7);
  const std::function<Value(int)> any = [&](int depth) -> Value {
    const auto kind = depth > 5 ? 0 : rng.below(4);
    if (kind == 0) {
      std::string word;
      constexpr std::string_view letters = "{}[]\"\\,:abcdef";
      for (std::uint64_t i = rng.below(40); i > 0; --i) word += letters[rng.below(letters.size())];
      return word;
    }
    if (kind == 1) return static_cast<std::int64_t>(rng.below(100000));
    Value out = kind == 2 ? Value::array() : Value::object();
    for (std::uint64_t i = rng.below(5); i > 0; --i) {
      if (kind == 2)
        out.push_back(any(depth + 1));
      else
        out.set("k{\"" + std::to_string(i), any(depth + 1));
    }
    return out;
  };
  for (int round = 0; round < 2000; ++round) {
    const std::string value = to_json(any(0));
    const std::string text = value + ",\"and\":[{\"what follows\":\"it\"}]}";
    JsonScan scan(text);
    ASSERT_EQ(scan.take(), value);
  }
}

}  // namespace
}  // namespace keelson::codec
