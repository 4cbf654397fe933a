#include "model/field_error.h"

#include <gtest/gtest.h>

namespace keelson::model {
namespace {

TEST(Path, ReadsAsKubernetesWritesIt) {
  const Path spec("spec");
  const Path containers = spec.child("containers");
  const Path second = containers.index(1);
  const Path limits = second.child("resources.limits");
  EXPECT_EQ(second.child("name").text(), "spec.containers[1].name");
  EXPECT_EQ(limits.key("cpu").text(), "spec.containers[1].resources.limits[cpu]");
}

TEST(FieldErrors, TextOfEachType) {
  FieldErrors errors;
  const Path at("a");
  errors.required(at);
  errors.required(at, "it is needed");
  errors.invalid(at, 5, "too much");
  errors.invalid(at, "x", "too little");
  errors.forbidden(at, "not here");
  errors.duplicate(at, "x");
  errors.not_supported(at, "x", {"y", "z"});
  errors.too_many(at, 3, 2);
  errors.too_long(at, 63);
  const char* const texts[] = {"a: Required value",
                               "a: Required value: it is needed",
                               "a: Invalid value: 5: too much",
                               "a: Invalid value: \"x\": too little",
                               "a: Forbidden: not here",
                               "a: Duplicate value: \"x\"",
                               "a: Unsupported value: \"x\": supported values: \"y\", \"z\"",
                               "a: Too many: 3: must have at most 2 items",
                               "a: Too long: may not be more than 63 bytes"};
  ASSERT_EQ(errors.size(), std::size(texts));
  for (std::size_t i = 0; i < errors.size(); ++i) EXPECT_EQ(errors.list()[i].text(), texts[i]);
}

TEST(FieldErrors, AggregateListsEachTextOnce) {
  FieldErrors errors;
  errors.required(Path("a"));
  EXPECT_EQ(errors.text(), "a: Required value");
  errors.required(Path("a"));
  EXPECT_EQ(errors.text(), "a: Required value");
  errors.required(Path("b"));
  EXPECT_EQ(errors.text(), "[a: Required value, b: Required value]");
  const Error error = errors.to_error("apps", "Deployment", "x");
  EXPECT_EQ(error.message,
            "Deployment.apps \"x\" is invalid: [a: Required value, b: Required value]");
  EXPECT_EQ(error.causes.front().type, "FieldValueRequired");
  EXPECT_EQ(error.causes.front().field, "a");
}

TEST(FieldErrors, ManyTakeTimeInProportion) {
  // As many as a request's body has room for: comparing each with all others took minutes.
  constexpr std::size_t kErrors = 200'000;
  FieldErrors errors;
  const Path list("a");
  for (std::size_t i = 0; i < kErrors; ++i) errors.required(list.index(i));
  EXPECT_GT(errors.text().size(), kErrors * 20);
}

}  // namespace
}  // namespace keelson::model
