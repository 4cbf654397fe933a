// What policies leave for the audit log.
#include <gtest/gtest.h>

#include "codec/json.h"
#include "registry/test_registry.h"

namespace keelson::registry {
namespace {

class AnnotationsTest : public TestRegistry {
 protected:
  AnnotationsTest() { open(environment()); }
  Result<Response> run(Verb verb, std::string group, std::string resource, std::string ns,
                       std::string_view body) {
    Request asked = request(verb, std::move(group), std::move(resource), std::move(ns), name,
                            *codec::parse_json(body));
    asked.subresource = subresource;
    asked.annotations = notes;
    return registry->execute(asked);
  }
  void policy(std::string_view rule) {
    ASSERT_TRUE(run(Verb::create, "admissionregistration.k8s.io", "validatingadmissionpolicies", "",
                    R"({"metadata": {"name": "small"}, "spec": {
        "matchConstraints": {"resourceRules": [)" +
                        std::string(rule) + R"(]},
        "validations": [{"expression": "true"}, {"expression": "request.operation == 'x'",
                         "message": "not so"}],
        "auditAnnotations": [{"key": "who", "valueExpression": "'by ' + request.name"},
                             {"key": "none", "valueExpression": "null"}]}})")
                    .ok());
  }
  void bind(std::string_view action) {
    ASSERT_TRUE(run(Verb::create, "admissionregistration.k8s.io",
                    "validatingadmissionpolicybindings", "",
                    R"({"metadata": {"name": "b"}, "spec": {"policyName": "small",
                        "validationActions": [")" +
                        std::string(action) + R"("]}})")
                    .ok());
  }

  std::string name, subresource;
  std::shared_ptr<std::map<std::string, std::string>> notes;
};

TEST_F(AnnotationsTest, AuditedFailuresAndValuesAreNoted) {
  policy(R"({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
             "resources": ["configmaps"]})");
  bind("Audit");
  notes = std::make_shared<std::map<std::string, std::string>>();
  ASSERT_TRUE(
      run(Verb::create, "", "configmaps", "default", R"({"metadata": {"name": "c"}})").ok());
  EXPECT_EQ(notes->at("small/who"), "by c");
  EXPECT_FALSE(notes->contains("small/none"));
  EXPECT_EQ(notes->at("validation.policy.admission.k8s.io/validation_failure"),
            R"([{"binding":"b","expressionIndex":1,"message":"not so","policy":"small",)"
            R"("validationActions":["Audit"]}])");
}

TEST_F(AnnotationsTest, PoliciesSeeConnections) {
  policy(R"({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"],
             "resources": ["pods/exec"]})");
  bind("Deny");
  name = "p";
  subresource = "attach";
  EXPECT_TRUE(run(Verb::connect, "", "pods", "default", R"({"stdout": true})").ok());
  subresource = "exec";
  const auto refused = run(Verb::connect, "", "pods", "default", R"({"command": ["ls"]})");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("denied request: not so"), std::string::npos);
}

}  // namespace
}  // namespace keelson::registry
