// Malformed and unusual node selector terms.
#include "sched/node_selector.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::sched {
namespace {

Value json(std::string_view text) {
  auto value = codec::parse_json(text);
  EXPECT_TRUE(value.ok());
  return value.ok() ? *value : Value();
}

NodeSelectorTerm term(std::string_view text) {
  const model::Path root = model::Path::root();
  return NodeSelectorTerm(json(text), root.index(0));
}

TEST(NodeSelector, SaysWhatIsMalformed) {
  const auto bad =
      term(R"({"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["large"]}]})");
  ASSERT_EQ(bad.errors().size(), 1u);
  EXPECT_EQ(bad.errors()[0],
            "[0].matchExpressions[0].values[0]: Invalid value: \"large\": for 'Gt', 'Lt' "
            "operators, the value must be an integer");
  EXPECT_FALSE(bad.matches(json(R"({"size": "3"})"), "n"));
}

TEST(NodeSelector, AMalformedTermLeavesTheOthersAlone) {
  const NodeSelector selector(json(R"({"nodeSelectorTerms": [
      {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["not a label"]}]},
      {"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {}]})"));
  EXPECT_TRUE(selector.matches(json(R"({"a": "1"})"), "n"));
  EXPECT_FALSE(selector.matches(json(R"({"a": "2"})"), "n"));
}

TEST(NodeSelector, FieldsOtherThanTheNameReadAsEmpty) {
  const auto by_name =
      term(R"({"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}]})");
  EXPECT_FALSE(by_name.matches(Value(), "n1"));
  EXPECT_TRUE(by_name.matches(Value(), "n2"));
  EXPECT_FALSE(
      term(R"({"matchFields": [{"key": "metadata.uid", "operator": "In", "values": ["u"]}]})")
          .matches(Value(), "n1"));
}

}  // namespace
}  // namespace keelson::sched
