#include "model/cel/policy_types.h"

#include <gtest/gtest.h>

#include "codec/json.h"

namespace keelson::model {
namespace {

using codec::Value;

Value policy(const std::string& resources, const std::string& expression,
             const std::string& more = "") {
  auto made = codec::parse_json(R"({"spec": {"matchConstraints": {"resourceRules": [)" + resources +
                                R"(]}, "validations": [{"expression": ")" + expression + R"("}])" +
                                more + "}}");
  EXPECT_TRUE(made.ok());
  return made.ok() ? *made : Value();
}

constexpr const char* kDeployments =
    R"({"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]})";

TEST(PolicyTypes, WarnOfFieldsThatAreNotThere) {
  const TypeTable types;
  const auto warnings = check_policy_types(policy(kDeployments, "object.spec.replicaz > 3"), types);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].field, "spec.validations[0].expression");
  EXPECT_EQ(warnings[0].text,
            "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'replicaz'\n"
            " | object.spec.replicaz > 3\n"
            " | ...........^\n");
}

TEST(PolicyTypes, AreQuietAboutWhatFits) {
  const TypeTable types;
  for (const char* good :
       {"object.spec.replicas > 3", "object.metadata.labels['a'] == 'b'",
        "object.metadata.creationTimestamp < timestamp('2030-01-01T00:00:00Z')",
        "object.spec.template.spec.containers.all(c, c.resources.limits['cpu'] == '1')",
        "object.spec.strategy.rollingUpdate.maxSurge == 1", "oldObject == null || true",
        "request.operation == 'CREATE'", "namespaceObject.metadata.name == 'a'"})
    EXPECT_TRUE(check_policy_types(policy(kDeployments, good), types).empty()) << good;
  EXPECT_EQ(
      check_policy_types(policy(kDeployments, "object.spec.replicas == 'three'"), types).size(),
      1U);
}

TEST(PolicyTypes, LookAtEveryKindThatIsNamed) {
  const TypeTable types;
  const std::string two =
      R"({"apiGroups": ["", "apps"], "apiVersions": ["v1"],
          "resources": ["pods", "deployments", "pods/status"]})";
  const auto warnings = check_policy_types(policy(two, "object.spec.replicas > 1"), types);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(warnings[0].text.starts_with("v1, Kind=Pod: ERROR"));
  const std::string any = R"({"apiGroups": ["*"], "apiVersions": ["v1"], "resources": ["pods"]})";
  EXPECT_TRUE(check_policy_types(policy(any, "object.spec.nothing"), types).empty());
}

TEST(PolicyTypes, KnowVariablesAndParameters) {
  const TypeTable types;
  const std::string more =
      R"(, "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
          "variables": [{"name": "n", "expression": "object.spec.replicas"}])";
  EXPECT_TRUE(
      check_policy_types(policy(kDeployments, "variables.n > int(params.data['n'])", more), types)
          .empty());
  EXPECT_EQ(check_policy_types(policy(kDeployments, "variables.n == 'a'", more), types).size(), 1U);
  EXPECT_EQ(check_policy_types(policy(kDeployments, "params.spec.n == 1", more), types).size(), 1U);
}

TEST(PolicyTypes, ReadTheSchemasOfDefinitions) {
  TypeTable types;
  const Value definition = *codec::parse_json(R"({
      "metadata": {"name": "things.example.com"},
      "spec": {"group": "example.com", "scope": "Cluster",
               "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
               "versions": [{"name": "v1", "served": true, "storage": true, "schema":
                 {"openAPIV3Schema": {"type": "object", "properties":
                   {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}}]},
      "status": {"acceptedNames": {"plural": "things", "singular": "thing", "kind": "Thing"}}})");
  ASSERT_TRUE(types.add_custom(definition).ok());
  const std::string things =
      R"({"apiGroups": ["example.com"], "apiVersions": ["v1"], "resources": ["things"]})";
  EXPECT_TRUE(
      check_policy_types(
          policy(things, "object.spec.size > 1 && object.metadata.labels.size() > 0"), types)
          .empty());
  EXPECT_EQ(check_policy_types(policy(things, "object.spec.weight > 1"), types).size(), 1U);
}

}  // namespace
}  // namespace keelson::model
