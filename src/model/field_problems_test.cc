#include "model/field_problems.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::model {
namespace {

using Problems = std::vector<FieldProblem>;

codec::Value object() {
  return *codec::parse_json(R"({"spec": {"containers": [
      {"name": "log"}, {"name": "web", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}})");
}

TEST(FieldProblems, OfValidationAreItsCauses) {
  EXPECT_EQ(field_problems({.message = "Service \"s\" is invalid: ...",
                            .causes = {{"FieldValueInvalid", "spec.ports[1].port", "Invalid"},
                                       {"FieldValueRequired", "spec.type", "Required value"}}},
                           object()),
            (Problems{{"spec.ports[1].port", "Invalid"}, {"spec.type", "Required value"}}));
}

TEST(FieldProblems, OfTypedPatchesHaveIndexesInsteadOfKeys) {
  const std::string head = "failed to create typed patch object (/w; v1, Kind=Pod): ";
  EXPECT_EQ(field_problems({.message = head + ".spec.bogus: field not declared in schema"}, {}),
            (Problems{{"spec.bogus", "field not declared in schema"}}));
  EXPECT_EQ(
      field_problems(
          {.message = head + "errors:\n  .spec.containers[name=\"web\"].imagee: field not declared "
                             "in schema\n  .spec.containers[name=\"web\"].ports[containerPort=80,"
                             "protocol=\"TCP\"].x: expected string, got "
                             "&value.valueUnstructured{Value:1}"},
          object()),
      (Problems{{"spec.containers[1].imagee", "field not declared in schema"},
                {"spec.containers[1].ports[0].x", "expected string, got 1"}}));
  // An element that the object does not have: what is above it.
  EXPECT_EQ(field_problems({.message = head + ".spec.containers[name=\"x\"].a: no"}, object()),
            (Problems{{"spec.containers", "no"}}));
}

TEST(FieldProblems, OfStrictDecodingAreAllNamed) {
  EXPECT_EQ(field_problems({.message = "strict decoding error: unknown field \"spec.a\", unknown "
                                       "field \"spec.b\""},
                           {}),
            (Problems{{"spec.a", "unknown field"}, {"spec.b", "unknown field"}}));
}

TEST(FieldProblems, OthersNameNoField) {
  EXPECT_EQ(field_problems({.message = "namespaces \"nope\" not found"}, {}),
            (Problems{{"", "namespaces \"nope\" not found"}}));
  EXPECT_EQ(field_problems({.message = "failed to create typed patch object (a; v1"}, {}),
            (Problems{{"", "failed to create typed patch object (a; v1"}}));
}

}  // namespace
}  // namespace keelson::model
