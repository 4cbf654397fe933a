// Policies that would record something else than was meant are refused.
#include "api/audit/audit.h"

#include <gtest/gtest.h>

namespace keelson::api {
namespace {

std::string refusal(const std::string& rules) {
  const auto policy = AuditPolicy::parse("apiVersion: audit.k8s.io/v1\nkind: Policy\n" + rules);
  return policy.ok() ? "" : policy.error().message;
}

TEST(AuditPolicy, NamesWhatItDoesNotKnow) {
  EXPECT_EQ(refusal("rules: [{level: None, verbs: [get]}, {level: Metadata}]"), "");
  EXPECT_EQ(refusal("rules: [{level: Metadata, vrebs: [get]}]"), "rules[0].vrebs: unknown field");
  EXPECT_EQ(refusal("omitStage: []\nrules: [{level: None}]"), "omitStage: unknown field");
  EXPECT_EQ(refusal("rules: []"), "rules: Required value: a policy of 0 rules is illegal");
}

}  // namespace
}  // namespace keelson::api
