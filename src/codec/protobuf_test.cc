#include "codec/protobuf.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "codec/json.h"

namespace keelson::codec {
namespace {

Field field(std::string name, int number, const Type* type, int outer = 0, int inner = 0) {
  Field f;
  f.name = std::move(name);
  f.number = number;
  f.type = type;
  f.embedded_number = outer;
  f.embedded_inner = inner;
  return f;
}

// A rule within operations within a named rule, as Go embeds them.
TEST(Protobuf, EmbeddedStructsAreMessagesOfTheirOwn) {
  const Type text{.name = "", .shape = Shape::scalar, .scalar = Scalar::string};
  Type texts{.name = "", .shape = Shape::list};
  texts.element.type = &text;
  Type rule{.name = "x.NamedRule", .shape = Shape::structure};
  rule.fields = {field("names", 1, &texts), field("operations", 1, &texts, 2),
                 field("groups", 1, &texts, 2, 2), field("versions", 2, &texts, 2, 2)};
  const Value value =
      *parse_json(R"({"groups":["g"],"names":["n"],"operations":["o"],"versions":["v"]})");
  const std::string bytes = to_protobuf(rule, value);
  EXPECT_EQ(to_hex(bytes),
            "0a016e"
            "120b"
            "0a016f"
            "1206"
            "0a0167"
            "120176");
  const auto back = from_protobuf(rule, bytes);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, value);
  rule.wire_order = protobuf_order(rule);
  EXPECT_EQ(to_protobuf(rule, value), bytes);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    (void)from_protobuf(rule, std::string_view(bytes).substr(0, cut));
}

TEST(Protobuf, EnvelopeAndFrames) {
  const std::string wrapped = wrap_protobuf("v1", "Pod", "abc");
  ASSERT_TRUE(is_protobuf(wrapped));
  const auto opened = open_protobuf(wrapped);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->api_version, "v1");
  EXPECT_EQ(opened->kind, "Pod");
  EXPECT_EQ(opened->raw, "abc");
  const std::string frame = protobuf_watch_frame("ADDED", wrapped);
  EXPECT_EQ(frame.size(), 4 + static_cast<std::size_t>(static_cast<unsigned char>(frame[3])));
  EXPECT_FALSE(open_protobuf("{}").ok());
}

}  // namespace
}  // namespace keelson::codec
